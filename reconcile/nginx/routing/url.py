"""The request that a browser sends for a typed URL."""

from __future__ import annotations

from ipaddress import ip_address
from urllib.parse import quote, urlsplit

from reconcile.errors import ReconcileError
from reconcile.nginx.model.listen import Address
from reconcile.nginx.routing.request import Request

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
        raise _refused(url, "Start it with http:// or https://.") from None
    if not host:
        raise _refused(url, "Name a host: http://example.com/static/css/app.css.")
    target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), _SENT_AS_IS)
    arrives = address.strip("[]") if address else (host if _is_ip(host) else "127.0.0.1")
    if not _is_ip(arrives):
        raise ReconcileError(
            f"{address} is not an IP address",
            "",
            "Name one of this host, such as 127.0.0.1 or ::1.",
        )
    return Request(
        target,
        host=f"[{host}]" if ":" in host else host,
        address=Address(str(ip_address(arrives)), port),
        scheme="https" if parts.scheme == "https" else "http",
        client=arrives,
    )


def _is_ip(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _refused(url: str, fix: str) -> ReconcileError:
    return ReconcileError(f"{url} is not an http or https URL", "", fix)
