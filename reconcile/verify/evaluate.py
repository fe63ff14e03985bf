"""Compares a response with what a probe expects."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from reconcile.config.probes import SERVER_ERRORS, Expectation, Server
from reconcile.engine.model import Check
from reconcile.system.http import HttpAnswer

_ERROR_PAGE_SIGNATURE = b"<hr><center>nginx"
_EXCERPT_BYTES = 60
_SENDERS: dict[Server, str] = {"nginx": "nginx", "app": "the app"}


def evaluate(name: str, response: HttpAnswer, expect: Expectation) -> Check:
    """The check of `response`; its detail lists everything that differs from `expect`."""
    if response.error == "no_such_family":
        return Check(name, "skipped", "this host has no such address family")
    if response.error:
        return Check(name, "fail", f"no response: {response.error}, {response.detail}")
    refusal = dict(expect.refusals).get(response.status)
    if refusal and response.status not in expect.status:
        return Check(name, "skipped", f"{response.status}, as configured: {refusal}")
    wrong = list(mismatches(response, expect))
    if wrong:
        return Check(name, "fail", "; ".join(wrong))
    return _check_server(expect.served_by, name, response)


def mismatches(response: HttpAnswer, expect: Expectation) -> Iterator[str]:
    """What differs from `expect`, in words; `served_by` is left out."""
    wrong_status = _status_mismatch(response, expect)
    if wrong_status:
        yield wrong_status
    for header, value in expect.headers:
        yield from _header_mismatches(header, value, response.values(header))
    # That an error page lacks the text adds nothing.
    if not wrong_status and expect.body is not None and expect.body.encode() not in response.body:
        wanted = expect.body[:_EXCERPT_BYTES]
        yield f'the body does not contain "{wanted}", it begins with {excerpt(response.body)}'


def _status_mismatch(response: HttpAnswer, expect: Expectation) -> str:
    if expect.status and response.status not in expect.status:
        return f"expected {_either(expect.status)}, got {response.status}"
    if response.status in expect.not_status:
        forbidden = "5xx" if expect.not_status == SERVER_ERRORS else _either(expect.not_status)
        return f"expected no {forbidden}, got {response.status}"
    return ""


def _either(codes: frozenset[int]) -> str:
    return " or ".join(map(str, sorted(codes)))


def _header_mismatches(header: str, expected: str, values: tuple[str, ...]) -> Iterator[str]:
    if not values:
        yield f"no {header} header, expected {expected}"
    elif len(values) > 1:
        yield f"{header} was sent {len(values)} times: {' and '.join(values)}"
    elif values[0] != expected:
        yield f"{header} is {values[0]}, expected {expected}"


def excerpt(body: bytes) -> str:
    """The beginning of a body as text in one line, quoted."""
    text = body[:_EXCERPT_BYTES].decode(errors="replace")
    return f'"{" ".join(text.split())}"'


def _check_server(expected: Server | None, name: str, response: HttpAnswer) -> Check:
    if expected is None:
        return Check(name, "pass", f"{response.status}")
    from_nginx = is_from_nginx(response)
    if expected == "app" and from_nginx:
        return Check(name, "fail", f"{response.status} from nginx, expected the app")
    if expected == "nginx" and not from_nginx:
        return Check(name, "fail", f"{response.status}, but {_not_from_nginx(response)}")
    return Check(name, "pass", f"{response.status} from {_SENDERS[expected]}")


def _not_from_nginx(response: HttpAnswer) -> str:
    if response.status < 300:
        return "the response did not come from nginx"
    return f"not nginx's own {response.status} page"


def is_from_nginx(response: HttpAnswer) -> bool:
    """Whether nginx made this response itself, rather than pass on one of the app.

    The Server header proves nothing: proxied responses have it too. A file that nginx sends has
    an ETag made of its mtime and size, which have to agree with the two headers that hold them.
    A redirect or an error page of nginx's ends with its signature.
    """
    if response.status >= 300:
        return _ERROR_PAGE_SIGNATURE in response.body
    etag = response.values("ETag")
    return len(etag) == 1 and etag[0] == _file_etag(response)


def _file_etag(response: HttpAnswer) -> str | None:
    """Source: ngx_http_set_etag; seconds and bytes in hex."""
    modified, size = response.values("Last-Modified"), response.values("Content-Length")
    if len(modified) != 1 or len(size) != 1 or not size[0].isdigit():
        return None
    try:
        seconds = int(parsedate_to_datetime(modified[0]).timestamp())
    except ValueError:
        return None
    return f'"{seconds:x}-{int(size[0]):x}"'
