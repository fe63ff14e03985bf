"""Requests with a word that nobody has used before, and the logs that they are found in."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from reconcile.doctor.access_log_format import answered_by, visit_logs
from reconcile.doctor.gunicorn_logs import AccessLog, access_log
from reconcile.doctor.http_requests import ask, reachable
from reconcile.errors import ReconcileError
from reconcile.nginx.model.latin1 import from_raw
from reconcile.nginx.routing.location_match import Indeterminate
from reconcile.nginx.routing.route import Route
from reconcile.nginx.routing.servers import Server
from reconcile.system.http import HttpAnswer
from reconcile.system.processes import wait_until
from reconcile.system.tail import tail
from reconcile.verify.evaluate import is_from_nginx

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection

ANSWER_S, ALL_S, LOGGED_S = 0.5, 0.8, 0.4
"""How long one answer, all requests together, and then the lines in the logs may take."""
LOG_BYTES = 64 << 10


@dataclass(frozen=True)
class Suspect:
    """A URL of files; `is_passed`: the configuration says that the app answers it."""

    server: Server
    uri: str
    is_passed: bool


@dataclass(frozen=True)
class Trail:
    """Who answered, and what shows it; "" where nothing does, and `evidence` says why."""

    by: Literal["app", "nginx", ""]
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class _Sent:
    """A request with `nonce` in its query."""

    server: Server
    uri: str
    nonce: str
    answer: HttpAnswer
    is_passed: bool = True

    def __str__(self) -> str:
        told = self.answer.status or f"no answer ({self.answer.detail})"
        return f"GET {self.uri} of {self.server.names[0]}: {told}"


@dataclass(frozen=True)
class _Inquiry:
    """All requests to one server. `control` has to be in `log`; `why` there is no such log."""

    sent: Mapping[Suspect, _Sent]
    log: AccessLog | None
    control: _Sent | None
    why: str

    def is_told(self, logged: str) -> bool:
        awaited = [one for one in (*self.sent.values(), self.control) if one and one.is_passed]
        return all(one.nonce in logged for one in awaited)


def follow(snapshot: HostInspection, suspects: Sequence[Suspect]) -> Mapping[Suspect, Trail]:
    """Ask for every suspect, then look for the requests in the logs of the apps and of nginx.

    Nothing but GET is sent, and to this machine alone; bounded by ALL_S and LOGGED_S together.
    """
    began_s, until = time.time(), time.monotonic() + ALL_S
    inquiries = [
        _inquiry(snapshot, server, [one for one in suspects if one.server is server], until)
        for server in {id(one.server): one.server for one in suspects}.values()
    ]
    logged = _logged(inquiries, began_s)
    return {
        suspect: _trail(snapshot, inquiry, sent, logged)
        for inquiry in inquiries
        for suspect, sent in inquiry.sent.items()
    }


def _inquiry(
    snapshot: HostInspection, server: Server, suspects: Sequence[Suspect], until: float
) -> _Inquiry:
    log, why = _log(snapshot, server)
    sent = {one: _send(snapshot, one.server, one.uri, until, one.is_passed) for one in suspects}
    # After what it is to bear witness of.
    uri = _control(snapshot, server) if log else ""
    control = _send(snapshot, server, uri, until) if uri else None
    return _Inquiry(sent, log, control, why)


def _log(snapshot: HostInspection, server: Server) -> tuple[AccessLog | None, str]:
    """The access log of the one app behind a server, or why there is none to look in."""
    apps = [app for app in snapshot.apps_of(server) if app.unit.main_pid]
    if len(apps) != 1:
        return None, "no app runs behind it" if not apps else "several apps stand behind it"
    try:
        log = access_log(snapshot.host, apps[0].unit)
    except ReconcileError as error:
        return None, error.what
    return log, "" if log else f"{apps[0].unit.name} keeps no access log (--access-logfile)"


def _control(snapshot: HostInspection, server: Server) -> str:
    """A URL of no file that nginx passes to the app; "" where there is none."""
    for passed in snapshot.passed:
        prefix = from_raw(passed.scope.name)
        if passed.server is server and passed.scope.modifier in ("", "^~"):
            uri = f"{prefix.rstrip('/')}/reconcile-control"
            route = _route(snapshot, server, uri)
            if route and route.answer.kind == "pass":
                return uri
    return ""


def _route(snapshot: HostInspection, server: Server, uri: str) -> Route | None:
    """None where nobody can tell: then another witness is needed."""
    try:
        return snapshot.route(server, uri)
    except Indeterminate:
        return None


def _send(
    snapshot: HostInspection, server: Server, uri: str, until: float, is_passed: bool = True
) -> _Sent:
    nonce, left_s = secrets.token_hex(8), until - time.monotonic()
    asked = f"{uri}?reconcile={nonce}"
    listens = reachable(snapshot, server)[:1]
    if not listens or left_s <= 0:
        why = "no address leads to it" if not listens else "the time for requests was used up"
        return _Sent(server, asked, nonce, HttpAnswer(error="failed", detail=why), False)
    answer = ask(snapshot, server, listens[0], asked, timeout_s=min(ANSWER_S, left_s))
    return _Sent(server, asked, nonce, answer, is_passed)


def _logged(inquiries: Sequence[_Inquiry], since_s: float) -> Mapping[str, str]:
    """What the logs have, once they have all that has to be there, or the time is up."""
    texts: dict[str, str] = {}

    def told() -> bool:
        for one in inquiries:
            if one.log and not one.is_told(texts.get(one.log.where, "")):
                texts[one.log.where] = _text(one.log, since_s)
        return all(not one.log or one.is_told(texts[one.log.where]) for one in inquiries)

    wait_until(told, timeout_s=LOGGED_S, every_s=0.03)
    return texts


def _text(log: AccessLog, since_s: float) -> str:
    try:
        return "\n".join(log.lines(since_s))
    except ReconcileError:
        # A log that cannot be read holds no control either, and that is told.
        return ""


def _trail(
    snapshot: HostInspection, inquiry: _Inquiry, sent: _Sent, logged: Mapping[str, str]
) -> Trail:
    where = inquiry.log.where if inquiry.log else ""
    lines = logged.get(where, "").splitlines()
    if found := _with(lines, sent.nonce):
        return Trail("app", (str(sent), f"{where}: {found}"))
    control = inquiry.control
    if control and not sent.answer.error and _with(lines, control.nonce):
        said = f"{where} has {control.uri}, which was asked after it, and not this"
        return Trail("nginx", (str(sent), said))
    return _by_nginx_s_log(snapshot, sent) or _by_headers(sent, _why(inquiry, where))


def _with(lines: Sequence[str], nonce: str) -> str:
    return next((line for line in reversed(lines) if nonce in line), "")


def _why(inquiry: _Inquiry, where: str) -> str:
    if not inquiry.log:
        return inquiry.why
    if not inquiry.control:
        return "no other URL is certain to reach the app"
    return f"{where} does not show the requests that the app answers"


def _by_nginx_s_log(snapshot: HostInspection, sent: _Sent) -> Trail | None:
    """The word of nginx's own log, where its format tells of upstreams."""
    for fields, line in _lines_of_nginx(snapshot, sent):
        if by := answered_by(fields):
            return Trail(by, (str(sent), line))
    return None


def _lines_of_nginx(
    snapshot: HostInspection, sent: _Sent
) -> Iterator[tuple[Mapping[str, str], str]]:
    route = _route(snapshot, sent.server, sent.uri)
    scope = route.hops[-1].scope if route and route.hops else sent.server.scope
    for log in visit_logs(scope, snapshot.nginx.build.access_log):
        try:
            line = _with(tail(log.path, LOG_BYTES), sent.nonce)
        except ReconcileError:
            continue
        if line:
            yield log.fields(line), f"{log.path}: {line}"


def _by_headers(sent: _Sent, why: str) -> Trail:
    told = f"by the route and the answer alone: {why}"
    if not sent.answer.error and is_from_nginx(sent.answer):
        return Trail("nginx", (f"{sent}, with nginx's own ETag or page", told))
    return Trail("", (str(sent), told))
