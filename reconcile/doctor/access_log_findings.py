"""Failed or misrouted requests for files in nginx's access logs that would still fail."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple

from reconcile.doctor.access_log_format import NginxAccessLog, access_logs, answered_by
from reconcile.doctor.denial_causes import denial_cause
from reconcile.doctor.rule import RuleResult, caused, note, warning
from reconcile.nginx.model.latin1 import from_raw
from reconcile.nginx.model.scope import PASSES
from reconcile.nginx.routing.servers import Server
from reconcile.nginx.routing.uri import normalise
from reconcile.system.logs import tail_with_rotated
from reconcile.wording import counted

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection

LOG_BYTES = 256 << 10
MAX_URIS, MAX_LINES = 50, 3
_REQUEST = re.compile(r"^(?:GET|HEAD) (/[^ ?]*)")
_FILES = re.compile(r"^/(?:static|media|assets|uploads)/")
_OWN_USER_AGENT = "reconcile"
_HOST_FIELDS = ("host", "http_host", "server_name")
_FOLDER_DIRECTIVES = frozenset(["alias", "root", "try_files"])


class LoggedRequest(NamedTuple):
    """The last request for a URI; `answered_by`: the app, nginx, or "" where it is not logged."""

    uri: str
    status: str
    answered_by: str
    line: str


@dataclass
class ServerTraffic:
    """A server and the last requests for its files, by URI."""

    server: Server
    requests: dict[str, LoggedRequest] = field(default_factory=dict)

    @cached_property
    def prefixes(self) -> tuple[str, ...]:
        """The prefixes of its locations that have a folder."""
        locations = (one for one in self.server.scope.locations if one.modifier in ("", "^~"))
        named = (one for one in locations if one.name != "/")
        return tuple(from_raw(one.name) for one in named if _FOLDER_DIRECTIVES & one.own.keys())

    @cached_property
    def lets_the_app_answer(self) -> bool:
        """Whether the app may answer URLs of files: it returns them by X-Accel-Redirect."""
        return any("internal" in one.own for one in self.server.scope.locations)

    @cached_property
    def has_app(self) -> bool:
        """Whether a location passes requests on."""
        return any(PASSES & scope.own.keys() for scope in self.server.scope.locations)

    def covers(self, uri: str) -> bool:
        """Whether a location with a folder has this URI."""
        return uri.startswith(self.prefixes)

    def may_be_named(self, host: str) -> bool:
        """Whether a request for `host` can have reached it; a regex name matches any."""
        own = self.server.names
        suffixes = (name.lstrip("*") for name in own if name.startswith((".", "*.")))
        is_exact = host in (name.lstrip(".") for name in own)
        return is_exact or any(map(host.endswith, suffixes)) or any(n.startswith("~") for n in own)

    def may_serve(self, uri: str) -> bool:
        """Whether a request for this URI can be meant for it."""
        return self.covers(uri) or bool(self.has_app and _FILES.match(uri))


def check_access_logs(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield failed and misrouted requests for files that would still fail."""
    for traffic in _read_traffic(inspection):
        yield from _check_traffic(inspection, traffic)


def missed_files(inspection: HostInspection) -> Iterator[tuple[Server, str, str]]:
    """Server, path and line of each request for a file that nginx itself did not find."""
    for traffic in _read_traffic(inspection):
        for request in traffic.requests.values():
            sent = normalise(request.uri)
            if sent and request.status == "404" and request.answered_by != "app":
                yield traffic.server, from_raw(sent.path), request.line


def _check_traffic(inspection: HostInspection, traffic: ServerTraffic) -> Iterator[RuleResult]:
    missing, denied, from_app = list[str](), dict[str, str](), list[str]()
    for request in list(traffic.requests.values())[-MAX_URIS:]:
        # Other rules report answers that cannot be predicted.
        route = inspection.nginx.try_route(traffic.server, request.uri)
        if route is None:
            continue
        answer = route.answer
        if answer.kind == "pass" and _is_unintended(traffic, request):
            from_app.append(request.line)
        elif answer.kind == "error" and request.status == "404" and answer.status == 404:
            missing.append(request.line)
        elif answer.kind == "error" and request.status == "403" and answer.path:
            denied[request.line] = denial_cause(inspection, answer.path)
    yield from _findings(traffic.server, missing, denied, from_app)


def _is_unintended(traffic: ServerTraffic, request: LoggedRequest) -> bool:
    """Whether the app answered for a file: scanners request many that do not exist."""
    if request.answered_by == "nginx":
        return False
    is_served = request.status.startswith("2") or request.status == "304"
    return traffic.covers(_matched_path(request.uri)) or (
        is_served and not traffic.lets_the_app_answer
    )


def _findings(
    server: Server, missing: list[str], denied: dict[str, str], from_app: list[str]
) -> Iterator[RuleResult]:
    name = server.names[0] or server.place
    if missing:
        yield note(
            f"{counted(len(missing), 'requested file')} of {name} returned 404.",
            *missing[-MAX_LINES:],
        )
    if denied:
        causes = {*denied.values()}
        found = warning(
            f"{counted(len(denied), 'requested file')} of {name} returned 403, and still would.",
            *list(denied)[-MAX_LINES:],
            fix="See the rule nginx-read: run namei -l on the path of each.",
        )
        yield caused(found, causes.pop() if len(causes) == 1 else "", is_symptom=True)
    if from_app:
        yield note(
            f"The app, not nginx, answers for {counted(len(from_app), 'file')} of {name}.",
            *from_app[-MAX_LINES:],
            fix=f"{server.place}: add a location ^~ with an alias for them (see the rules"
            " served-by-app and route-shadowed).",
        )


def _read_traffic(inspection: HostInspection) -> list[ServerTraffic]:
    """The servers in question, with the last request for each URI that is certainly theirs."""
    every = {one: ServerTraffic(one) for one in inspection.nginx.router.servers.servers}
    for log, servers in _logs(inspection).items():
        sharing = [every[server] for server in servers]
        for path, lines in tail_with_rotated(log.path, LOG_BYTES):
            for line in lines:
                _assign(sharing, log.fields(line), f"{path}: {line}")
    return [every[server] for server in inspection.servers]


def _logs(inspection: HostInspection) -> dict[NginxAccessLog, set[Server]]:
    """Each access log with the servers that write to it."""
    logs: dict[NginxAccessLog, set[Server]] = {}
    for server in inspection.nginx.router.servers.servers:
        for scope in (server.scope, *server.scope.locations):
            for log in access_logs(scope, inspection.nginx.installation.build.access_log):
                logs.setdefault(log, set()).add(server)
    return logs


def _matched_path(uri: str) -> str:
    """The path that locations are matched with, `..` resolved; "" where nginx answers 400."""
    sent = normalise(uri)
    return from_raw(sent.path) if sent else ""


def _assign(sharing: list[ServerTraffic], fields: Mapping[str, str], line: str) -> None:
    """Add a request to its server; a shared log often does not show which that is."""
    request = _REQUEST.match(fields.get("request", ""))
    if not request or fields.get("http_user_agent") == _OWN_USER_AGENT:
        return
    host = next((fields[name].partition(":")[0] for name in _HOST_FIELDS if name in fields), "")
    named = (one for one in sharing if not host or one.may_be_named(host))
    path = _matched_path(request[1])
    possible = (one for one in named if path and one.may_serve(path))
    first_two = list(islice(possible, 2))
    if len(first_two) == 1:
        uri, requests = request[1], first_two[0].requests
        # Removed first, so that the latest come last.
        requests.pop(uri, None)
        status = fields.get("status", "")
        requests[uri] = LoggedRequest(uri, status, answered_by(fields), line)
