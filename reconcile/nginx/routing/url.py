"""The request that a browser sends for a typed URL."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from reconcile.errors import ReconcileError
from reconcile.nginx.model.listen import Address
from reconcile.nginx.routing.request import Request

USER_AGENT = "Mozilla/5.0"
"""Of an ordinary visitor: configurations refuse requests without one."""
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_PORTS = {"http": 80, "https": 443}
# Sent unescaped by browsers; everything else becomes %XX.
_SENT_AS_IS = "/%?&=+:;@!$'()*,~-._[]|"


def parse_url(url: str, address: str | None = None) -> Request:
    """The request for `url` (http where it names no scheme), arriving at `address`.

    Without an address it arrives at the IP in the URL, else at 127.0.0.1.
    Errors: ReconcileError for anything but an http or https URL.
    """
    written = url if "://" in url else f"http://{url}"
    try:
        parts = urlsplit(written)
        host, port = parts.hostname or "", parts.port or _PORTS[parts.scheme]
    except (ValueError, KeyError):
        raise _not_a_url(url, "Start it with http:// or https://.") from None
    if not host:
        raise _not_a_url(url, "Name a host: http://example.com/static/css/app.css.")
    target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), _SENT_AS_IS)
    arrives = address.strip("[]") if address else (host if _is_ip(host) else "127.0.0.1")
    if not _is_ip(arrives):
        raise ReconcileError(
            f"{address} is not an IP address",
            "",
            "Name one of this host, such as 127.0.0.1 or ::1.",
        )
    name = f"[{host}]" if ":" in host else host
    return Request(
        target,
        host=name if port == _PORTS[parts.scheme] else f"{name}:{port}",
        address=Address(str(ip_address(arrives)), port),
        scheme="https" if parts.scheme == "https" else "http",
        client=arrives,
        headers={"user-agent": USER_AGENT},
        is_stranger=True,
    )


def as_sent(
    request: Request,
    *,
    method: str = "GET",
    headers: Iterable[str] = (),
    cookies: Sequence[str] = (),
    body_length: int = 0,
) -> Request:
    """`request` with this method, `Name: value` headers, `name=value` cookies, and a body.

    A `Host` header replaces the host of the URL. Errors: ReconcileError for what is no header.
    """
    given = dict(map(_header, headers))
    if cookies:
        known = [given["cookie"]] if "cookie" in given else []
        given["cookie"] = "; ".join([*known, *map(_one_line, cookies)])
    return replace(
        request,
        method=method,
        host=given.pop("host", request.host),
        headers={**request.headers, **given},
        body_length=body_length,
    )


def _header(written: str) -> tuple[str, str]:
    name, colon, value = _one_line(written).partition(":")
    if not colon or not _TOKEN.fullmatch(name):
        raise ReconcileError(
            f"{written!a} is not a header", "", "Write it as 'Name: value': 'Accept: image/webp'."
        )
    return name.lower(), value.strip()


def _one_line(text: str) -> str:
    if not text.isprintable():
        raise ReconcileError(f"{text!a} cannot be sent", "", "Use printable characters only.")
    return text


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _not_a_url(url: str, fix: str) -> ReconcileError:
    return ReconcileError(f"{url} is not an http or https URL", "", fix)
