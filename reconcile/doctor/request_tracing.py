"""Requests with a word that nobody has used before, and the logs that they are found in."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from reconcile.doctor.access_log_format import access_logs, answered_by
from reconcile.doctor.gunicorn_logs import GunicornAccessLog, access_log
from reconcile.doctor.http_requests import reachable_listens, send_request
from reconcile.errors import ReconcileError
from reconcile.nginx.model.latin1 import from_raw
from reconcile.nginx.routing.location_match import Indeterminate
from reconcile.nginx.routing.route import Route
from reconcile.nginx.routing.servers import Server
from reconcile.system.http import HttpAnswer
from reconcile.system.logs import tail
from reconcile.system.processes import wait_until
from reconcile.verify.evaluate import is_from_nginx

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection

ANSWER_S, ALL_S, LOGGED_S = 0.5, 0.8, 0.4
"""How long one answer, all requests together, and then the lines in the logs may take."""
LOG_BYTES = 64 << 10


@dataclass(frozen=True)
class TracedRequest:
    """A URL of files; `is_passed`: the configuration says that the app answers it."""

    server: Server
    uri: str
    is_passed: bool


@dataclass(frozen=True)
class RequestTrace:
    """Who answered, and what shows it; "" where nothing does, and `evidence` says why."""

    answered_by: Literal["app", "nginx", ""]
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class _SentRequest:
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
class _TraceSession:
    """All requests to one server. `control` has to be in `log`; `why` there is no such log."""

    sent: Mapping[TracedRequest, _SentRequest]
    log: GunicornAccessLog | None
    control: _SentRequest | None
    why: str

    def is_logged(self, logged: str) -> bool:
        awaited = [one for one in (*self.sent.values(), self.control) if one and one.is_passed]
        return all(one.nonce in logged for one in awaited)


def trace_requests(
    inspection: HostInspection, suspects: Sequence[TracedRequest]
) -> Mapping[TracedRequest, RequestTrace]:
    """Ask for every suspect, then look for the requests in the logs of the apps and of nginx.

    Nothing but GET is sent, and to this machine alone; bounded by ALL_S and LOGGED_S together.
    """
    began_s, until = time.time(), time.monotonic() + ALL_S
    inquiries = [
        _inquiry(inspection, server, [one for one in suspects if one.server is server], until)
        for server in {id(one.server): one.server for one in suspects}.values()
    ]
    logged = _logged(inquiries, began_s)
    return {
        suspect: _trail(inspection, inquiry, sent, logged)
        for inquiry in inquiries
        for suspect, sent in inquiry.sent.items()
    }


def _inquiry(
    inspection: HostInspection, server: Server, suspects: Sequence[TracedRequest], until: float
) -> _TraceSession:
    log, why = _log(inspection, server)
    sent = {one: _send(inspection, one.server, one.uri, until, one.is_passed) for one in suspects}
    # After what it is to bear witness of.
    uri = _control(inspection, server) if log else ""
    control = _send(inspection, server, uri, until) if uri else None
    return _TraceSession(sent, log, control, why)


def _log(inspection: HostInspection, server: Server) -> tuple[GunicornAccessLog | None, str]:
    """The access log of the one app behind a server, or why there is none to look in."""
    apps = [app for app in inspection.apps_behind(server) if app.unit.main_pid]
    if len(apps) != 1:
        return None, "no app runs behind it" if not apps else "several apps stand behind it"
    try:
        log = access_log(inspection.host, apps[0].unit)
    except ReconcileError as error:
        return None, error.what
    return log, "" if log else f"{apps[0].unit.name} keeps no access log (--access-logfile)"


def _control(inspection: HostInspection, server: Server) -> str:
    """A URL of no file that nginx passes to the app; "" where there is none."""
    for proxy in inspection.proxy_locations:
        prefix = from_raw(proxy.scope.name)
        if proxy.server is server and proxy.scope.modifier in ("", "^~"):
            uri = f"{prefix.rstrip('/')}/reconcile-control"
            route = _route(inspection, server, uri)
            if route and route.answer.kind == "pass":
                return uri
    return ""


def _route(inspection: HostInspection, server: Server, uri: str) -> Route | None:
    """None where nobody can tell: then another witness is needed."""
    try:
        return inspection.route(server, uri)
    except Indeterminate:
        return None


def _send(
    inspection: HostInspection, server: Server, uri: str, until: float, is_passed: bool = True
) -> _SentRequest:
    nonce, left_s = secrets.token_hex(8), until - time.monotonic()
    asked = f"{uri}?reconcile={nonce}"
    listens = reachable_listens(inspection, server)[:1]
    if not listens or left_s <= 0:
        why = "no address leads to it" if not listens else "the time for requests was used up"
        return _SentRequest(server, asked, nonce, HttpAnswer(error="failed", detail=why), False)
    answer = send_request(inspection, server, listens[0], asked, timeout_s=min(ANSWER_S, left_s))
    return _SentRequest(server, asked, nonce, answer, is_passed)


def _logged(inquiries: Sequence[_TraceSession], since_s: float) -> Mapping[str, str]:
    """What the logs have, once they have all that has to be there, or the time is up."""
    texts: dict[str, str] = {}

    def told() -> bool:
        for one in inquiries:
            if one.log and not one.is_logged(texts.get(one.log.where, "")):
                texts[one.log.where] = _text(one.log, since_s)
        return all(not one.log or one.is_logged(texts[one.log.where]) for one in inquiries)

    wait_until(told, timeout_s=LOGGED_S, every_s=0.03)
    return texts


def _text(log: GunicornAccessLog, since_s: float) -> str:
    try:
        return "\n".join(log.lines(since_s))
    except ReconcileError:
        # A log that cannot be read holds no control either, and that is told.
        return ""


def _trail(
    inspection: HostInspection,
    inquiry: _TraceSession,
    sent: _SentRequest,
    logged: Mapping[str, str],
) -> RequestTrace:
    where = inquiry.log.where if inquiry.log else ""
    lines = logged.get(where, "").splitlines()
    if found := _with(lines, sent.nonce):
        return RequestTrace("app", (str(sent), f"{where}: {found}"))
    control = inquiry.control
    if control and not sent.answer.error and _with(lines, control.nonce):
        said = f"{where} has {control.uri}, which was asked after it, and not this"
        return RequestTrace("nginx", (str(sent), said))
    return _by_nginx_s_log(inspection, sent) or _by_headers(sent, _why(inquiry, where))


def _with(lines: Sequence[str], nonce: str) -> str:
    return next((line for line in reversed(lines) if nonce in line), "")


def _why(inquiry: _TraceSession, where: str) -> str:
    if not inquiry.log:
        return inquiry.why
    if not inquiry.control:
        return "no other URL is certain to reach the app"
    return f"{where} does not show the requests that the app answers"


def _by_nginx_s_log(inspection: HostInspection, sent: _SentRequest) -> RequestTrace | None:
    """The word of nginx's own log, where its format tells of upstreams."""
    for fields, line in _lines_of_nginx(inspection, sent):
        if by := answered_by(fields):
            return RequestTrace(by, (str(sent), line))
    return None


def _lines_of_nginx(
    inspection: HostInspection, sent: _SentRequest
) -> Iterator[tuple[Mapping[str, str], str]]:
    route = _route(inspection, sent.server, sent.uri)
    scope = route.hops[-1].scope if route and route.hops else sent.server.scope
    for log in access_logs(scope, inspection.nginx.build.access_log):
        try:
            line = _with(tail(log.path, LOG_BYTES), sent.nonce)
        except ReconcileError:
            continue
        if line:
            yield log.fields(line), f"{log.path}: {line}"


def _by_headers(sent: _SentRequest, why: str) -> RequestTrace:
    told = f"by the route and the answer alone: {why}"
    if not sent.answer.error and is_from_nginx(sent.answer):
        return RequestTrace("nginx", (f"{sent}, with nginx's own ETag or page", told))
    return RequestTrace("", (str(sent), told))
