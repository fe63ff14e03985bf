"""Whether an answer is a good one."""

from __future__ import annotations

from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from reconcile.engine.model import Check
from reconcile.system.http import HttpAnswer
from reconcile.verify.model import Expectation, Server

_OWN_PAGE = b"<hr><center>nginx"
_SHOWN_BYTES = 60


def judged(name: str, answer: HttpAnswer, expect: Expectation) -> Check:
    """`answer` held against `expect`: every way in which it falls short is told."""
    if answer.error == "no_such_family":
        return Check(name, "skipped", "this host has no such address family")
    if answer.error:
        return Check(name, "fail", f"no answer: {answer.error}, {answer.detail}")
    wrong = list(shortcomings(answer, expect))
    if wrong:
        return Check(name, "fail", "; ".join(wrong))
    return _if_served_by(expect.served_by, name, answer)


def shortcomings(answer: HttpAnswer, expect: Expectation) -> Iterator[str]:
    """What is not as expected, in words."""
    unfit = _unfit_status(answer, expect)
    if unfit:
        yield unfit
    for header, value in expect.headers:
        yield from _header_shortcomings(header, value, answer.values(header))
    # What an error page does not hold is no news.
    if not unfit and expect.body is not None and expect.body.encode() not in answer.body:
        yield f"the body does not hold {expect.body[:_SHOWN_BYTES]!r}{_beginning(answer)}"


def _unfit_status(answer: HttpAnswer, expect: Expectation) -> str:
    if expect.status and answer.status not in expect.status:
        return f"{answer.status} instead of {' or '.join(map(str, sorted(expect.status)))}"
    return f"{answer.status} is not acceptable" if answer.status in expect.not_status else ""


def _header_shortcomings(header: str, wanted: str, values: tuple[str, ...]) -> Iterator[str]:
    if not values:
        yield f"no {header}, {wanted} expected"
    elif len(values) > 1:
        yield f"{header} came {len(values)} times: {' and '.join(values)}"
    elif values[0] != wanted:
        yield f"{header} is {values[0]}, {wanted} expected"


def _beginning(answer: HttpAnswer) -> str:
    return f", it begins {answer.body[:_SHOWN_BYTES]!r}"


def _if_served_by(wanted: Server | None, name: str, answer: HttpAnswer) -> Check:
    if wanted is None:
        return Check(name, "pass", f"{answer.status}")
    if wanted == "nginx":
        if is_by_nginx(answer):
            return Check(name, "pass", f"{answer.status} by nginx")
        return Check(name, "fail", f"{answer.status}, but nothing shows that nginx itself answered")
    if is_by_nginx(answer):
        return Check(name, "fail", f"{answer.status} by nginx instead of the app")
    return Check(name, "pass", f"{answer.status} by the app")


def is_by_nginx(answer: HttpAnswer) -> bool:
    """Whether nginx made this answer itself, rather than pass on one of the app.

    The Server header tells nothing: proxied answers bear it too. A file that nginx
    sends has an ETag made of its mtime and size, which have to agree with the two
    other headers that hold them; a page that nginx makes ends with its signature.
    A redirect or an error has the one, a file the other.
    """
    if answer.status >= 300:
        return _OWN_PAGE in answer.body
    etag = answer.values("ETag")
    return len(etag) == 1 and etag[0] == _file_etag(answer)


def _file_etag(answer: HttpAnswer) -> str | None:
    """Source: ngx_http_set_etag; seconds and bytes in hex."""
    modified, size = answer.values("Last-Modified"), answer.values("Content-Length")
    if len(modified) != 1 or len(size) != 1 or not size[0].isdigit():
        return None
    try:
        seconds = int(parsedate_to_datetime(modified[0]).timestamp())
    except ValueError:
        return None
    return f'"{seconds:x}-{int(size[0]):x}"'
