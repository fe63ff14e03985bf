"""Send requests with a unique token, and find in the logs who answered them."""

from __future__ import annotations

import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from reconcile.doctor.access_log_format import access_logs, answered_by
from reconcile.doctor.gunicorn_logs import GunicornAccessLog, access_log
from reconcile.doctor.http_requests import reachable_listens, send_request
from reconcile.errors import ReconcileError
from reconcile.nginx.model.latin1 import from_raw
from reconcile.nginx.routing.servers import Server
from reconcile.system.http import HttpAnswer
from reconcile.system.logs import tail
from reconcile.system.processes import wait_until
from reconcile.verify.evaluate import is_from_nginx

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection

ANSWER_S, REQUESTS_S, LOGGED_S = 0.5, 0.8, 0.4
"""The most that one answer, all requests, and then the lines in the logs may take."""
LOG_BYTES = 64 << 10
_SERVED = (200, 206, 304)


@dataclass(frozen=True)
class TracedRequest:
    """A URL of files; `is_passed`: the configuration passes it to the app."""

    server: Server
    uri: str
    is_passed: bool


@dataclass(frozen=True)
class RequestTrace:
    """Who answered, with the evidence; "" where that is not known, and why.

    `is_served`: whether the answer is the file, whoever sent it.
    """

    answered_by: Literal["app", "nginx", ""]
    evidence: tuple[str, ...]
    is_served: bool = False


@dataclass(frozen=True)
class _SentRequest:
    """A request with `token` in its query, and its answer."""

    server: Server
    uri: str
    token: str
    answer: HttpAnswer
    is_passed: bool = True

    def __str__(self) -> str:
        result = self.answer.status or f"no answer ({self.answer.detail})"
        return f"GET {self.uri} of {self.server.names[0]}: {result}"


@dataclass(frozen=True)
class _TraceSession:
    """All requests to one server.

    `control` is a request that the app must have logged in `log`; `no_log_reason`: why there is
    no such log.
    """

    sent: Mapping[TracedRequest, _SentRequest]
    log: GunicornAccessLog | None
    control: _SentRequest | None
    no_log_reason: str

    def is_complete(self, logged: str) -> bool:
        """Whether the log has every request that the app should have answered."""
        expected = [one for one in (*self.sent.values(), self.control) if one and one.is_passed]
        return all(one.token in logged for one in expected)

    def is_logged(self, texts: Mapping[str, str]) -> bool:
        """The same for its log among `texts`; without a log there is nothing to wait for."""
        return not self.log or self.is_complete(texts.get(self.log.where, ""))


def trace_requests(
    inspection: HostInspection, requests: Sequence[TracedRequest]
) -> Mapping[TracedRequest, RequestTrace]:
    """Send every request, then search for it in the logs of the apps and of nginx.

    Only GET, and only to this machine; takes at most REQUESTS_S + LOGGED_S seconds.
    """
    since_s, deadline = time.time(), time.monotonic() + REQUESTS_S
    servers = dict.fromkeys(one.server for one in requests)
    sessions = [
        _send_all(inspection, server, [one for one in requests if one.server is server], deadline)
        for server in servers
    ]
    logged = _wait_for_logs(sessions, since_s)
    return {
        request: replace(
            _trace(inspection, session, sent, logged), is_served=sent.answer.status in _SERVED
        )
        for session in sessions
        for request, sent in session.sent.items()
    }


def _send_all(
    inspection: HostInspection, server: Server, requests: Sequence[TracedRequest], deadline: float
) -> _TraceSession:
    log, reason = _app_access_log(inspection, server)
    sent = {
        one: _send(inspection, one.server, one.uri, deadline, is_passed=one.is_passed)
        for one in requests
    }
    # Sent last: once it is logged, the requests before it are logged too, or never reached the app.
    uri = _control_uri(inspection, server) if log else ""
    control = _send(inspection, server, uri, deadline) if uri else None
    return _TraceSession(sent, log, control, reason)


def _app_access_log(
    inspection: HostInspection, server: Server
) -> tuple[GunicornAccessLog | None, str]:
    """The access log of the one app behind a server, or why there is none."""
    apps = [app for app in inspection.apps_behind(server) if app.unit.main_pid]
    if len(apps) != 1:
        return None, "several apps run behind it" if apps else "no app runs behind it"
    try:
        log = access_log(inspection.host, apps[0].unit)
    except ReconcileError as error:
        return None, error.what
    return log, "" if log else f"{apps[0].unit.name} keeps no access log (--access-logfile)"


def _control_uri(inspection: HostInspection, server: Server) -> str:
    """A URL of no file that nginx passes to the app; "" where there is none."""
    for proxy in inspection.proxy_locations:
        prefix = from_raw(proxy.scope.name)
        if proxy.server is server and proxy.scope.modifier in ("", "^~"):
            uri = f"{prefix.rstrip('/')}/reconcile-control"
            route = inspection.nginx.try_route(server, uri)
            if route and route.answer.kind == "pass":
                return uri
    return ""


def _send(
    inspection: HostInspection,
    server: Server,
    uri: str,
    deadline: float,
    *,
    is_passed: bool = True,
) -> _SentRequest:
    token, left_s = secrets.token_hex(8), deadline - time.monotonic()
    tagged = f"{uri}?reconcile={token}"
    listens = reachable_listens(inspection, server)[:1]
    if not listens or left_s <= 0:
        reason = "the time for requests was used up" if listens else "no address leads to it"
        unsent = HttpAnswer(error="failed", detail=reason)
        return _SentRequest(server, tagged, token, unsent, is_passed=False)
    answer = send_request(inspection, server, listens[0], tagged, timeout_s=min(ANSWER_S, left_s))
    return _SentRequest(server, tagged, token, answer, is_passed)


def _wait_for_logs(sessions: Sequence[_TraceSession], since_s: float) -> Mapping[str, str]:
    """Log → its text, once every log is complete or LOGGED_S have passed."""
    texts: dict[str, str] = {}

    def is_logged() -> bool:
        """Whether every log is complete, after those that are not were read again."""
        for session in sessions:
            if session.log and not session.is_logged(texts):
                texts[session.log.where] = _read_log(session.log, since_s)
        return all(session.is_logged(texts) for session in sessions)

    wait_until(is_logged, timeout_s=LOGGED_S, every_s=0.03)
    return texts


def _read_log(log: GunicornAccessLog, since_s: float) -> str:
    try:
        return "\n".join(log.lines(since_s))
    except ReconcileError:
        # The control is missing from a log that cannot be read, and the trace reports that.
        return ""


def _trace(
    inspection: HostInspection,
    session: _TraceSession,
    sent: _SentRequest,
    logged: Mapping[str, str],
) -> RequestTrace:
    where = session.log.where if session.log else ""
    lines = logged.get(where, "").splitlines()
    if line := _last_with(lines, sent.token):
        return RequestTrace("app", (str(sent), f"{where}: {line}"))
    control = session.control
    if control and not sent.answer.error and _last_with(lines, control.token):
        evidence = f"{where} has {control.uri}, which was sent after it, but not this request"
        return RequestTrace("nginx", (str(sent), evidence))
    reason = _inconclusive_reason(session, where)
    return _trace_by_nginx_log(inspection, sent) or _trace_by_headers(sent, reason)


def _last_with(lines: Sequence[str], token: str) -> str:
    return next((line for line in reversed(lines) if token in line), "")


def _inconclusive_reason(session: _TraceSession, where: str) -> str:
    if not session.log:
        return session.no_log_reason
    if not session.control:
        return "no other URL is certain to reach the app"
    return f"{where} does not show the requests that the app answers"


def _trace_by_nginx_log(inspection: HostInspection, sent: _SentRequest) -> RequestTrace | None:
    """By nginx's own log, if its format has the upstream."""
    for fields, line in _nginx_lines(inspection, sent):
        if by := answered_by(fields):
            return RequestTrace(by, (str(sent), line))
    return None


def _nginx_lines(
    inspection: HostInspection, sent: _SentRequest
) -> Iterator[tuple[Mapping[str, str], str]]:
    route = inspection.nginx.try_route(sent.server, sent.uri)
    scope = route.hops[-1].scope if route and route.hops else sent.server.scope
    for log in access_logs(scope, inspection.nginx.installation.build.access_log):
        try:
            line = _last_with(tail(log.path, LOG_BYTES), sent.token)
        except ReconcileError:
            continue
        if line:
            yield log.fields(line), f"{log.path}: {line}"


def _trace_by_headers(sent: _SentRequest, reason: str) -> RequestTrace:
    basis = f"by the route and the answer alone: {reason}"
    if not sent.answer.error and is_from_nginx(sent.answer):
        return RequestTrace("nginx", (f"{sent}, with nginx's own ETag or page", basis))
    return RequestTrace("", (str(sent), basis))
