"""What visitors got for files of late, by nginx's access logs, where they still would."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from reconcile.doctor.access_log_format import NginxAccessLog, access_logs, answered_by
from reconcile.doctor.evidence import counted
from reconcile.doctor.rule import RuleResult, note, warning
from reconcile.nginx.model.latin1 import from_raw
from reconcile.nginx.model.scope import PASSES
from reconcile.nginx.routing.location_match import Indeterminate
from reconcile.nginx.routing.route import Answer
from reconcile.nginx.routing.servers import Server
from reconcile.system.logs import recent

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection

LOG_BYTES = 256 << 10
MOST_URIS, SHOWN = 50, 3
_REQUEST = re.compile(r"^(?:GET|HEAD) (/[^ ?]*)")
_FILES = re.compile(r"^/(?:static|media|assets|uploads)/")
_OWN = "reconcile"
_HOSTS = ("host", "http_host", "server_name")


_FOLDERS = frozenset(["alias", "root", "try_files"])


class LoggedRequest(NamedTuple):
    """The last request for that URI: `by` is who answered, where the log tells."""

    uri: str
    status: str
    answered_by: str
    line: str


@dataclass
class ServerTraffic:
    """A server, the prefixes that it has folders for, and the last visits to its files."""

    server: Server
    requests: dict[str, LoggedRequest] = field(default_factory=dict)

    @cached_property
    def prefixes(self) -> tuple[str, ...]:
        locations = (one for one in self.server.scope.locations if one.modifier in ("", "^~"))
        named = (one for one in locations if _FOLDERS & one.own.keys() and one.name != "/")
        return tuple(from_raw(one.name) for one in named)

    @cached_property
    def lets_the_app_answer(self) -> bool:
        """Whether the app is meant to see URLs of files: it hands them back by X-Accel-Redirect."""
        return any("internal" in one.own for one in self.server.scope.locations)

    @cached_property
    def has_app(self) -> bool:
        return any(PASSES & scope.own.keys() for scope in self.server.scope.locations)

    def covers(self, uri: str) -> bool:
        return uri.startswith(self.prefixes)

    def may_be_named(self, host: str) -> bool:
        """Whether it can have been asked under that name; of a regex that is not known here."""
        own = self.server.names
        wide = (name.lstrip("*") for name in own if name.startswith((".", "*.")))
        is_exact = host in (name.lstrip(".") for name in own)
        return is_exact or any(map(host.endswith, wide)) or any(n.startswith("~") for n in own)

    def may_serve(self, uri: str) -> bool:
        """Whether a request for that file is one of its own."""
        return self.covers(uri) or bool(self.has_app and _FILES.match(uri))


def check_access_logs(inspection: HostInspection) -> Iterator[RuleResult]:
    for place in _visited_places(inspection):
        yield from _judged(inspection, place)


def _judged(inspection: HostInspection, place: ServerTraffic) -> Iterator[RuleResult]:
    gone, refused, passed = list[str](), list[str](), list[str]()
    for one in list(place.requests.values())[-MOST_URIS:]:
        answer = _answer(inspection, place.server, one.uri)
        if answer is None:
            continue
        if answer.kind == "pass" and _is_unmeant(place, one):
            passed.append(one.line)
        elif answer.kind == "error" and one.status == "404" and answer.status == 404:
            gone.append(one.line)
        elif answer.kind == "error" and one.status == "403" and answer.path:
            refused.append(one.line)
    yield from _told(place.server, gone, refused, passed)


def _answer(inspection: HostInspection, server: Server, uri: str) -> Answer | None:
    """How it is answered by now. Of what cannot be foretold, the rules about its server tell."""
    try:
        route = inspection.route(server, uri)
    except Indeterminate:
        return None
    return route.answer if route else None


def _is_unmeant(place: ServerTraffic, one: LoggedRequest) -> bool:
    """Whether the app has answered for a file: strangers ask for many that nobody has."""
    if one.answered_by == "nginx":
        return False
    is_served = one.status.startswith("2") or one.status == "304"
    return place.covers(one.uri) or (is_served and not place.lets_the_app_answer)


def _told(
    server: Server, gone: list[str], refused: list[str], passed: list[str]
) -> Iterator[RuleResult]:
    name = server.names[0] or server.place
    if gone:
        yield note(f"Visitors of {name} asked for {counted(gone, 'file')} in vain.", *gone[-SHOWN:])
    if refused:
        yield warning(
            f"Visitors of {name} were refused {counted(refused, 'file')} (403), and still are.",
            *refused[-SHOWN:],
            fix="See the rule nginx-read: namei -l on the path of each.",
        )
    if passed:
        yield warning(
            f"The app, not nginx, answers for {counted(passed, 'file')} of {name}.",
            *passed[-SHOWN:],
            fix=f"{server.place}: add a location ^~ with an alias for them (see the rules"
            " served-by-app and route-shadowed).",
        )


def _visited_places(inspection: HostInspection) -> list[ServerTraffic]:
    """The servers asked about, with the last visit to each URI that is certain to be theirs."""
    places = {id(one): ServerTraffic(one) for one in inspection.router.servers.servers}
    for log, servers in _logs(inspection).items():
        sharing = [places[key] for key in servers]
        for path, lines in recent(log.path, LOG_BYTES):
            for line in lines:
                _sort(sharing, log.fields(line), f"{path}: {line}")
    return [places[id(server)] for server in inspection.servers]


def _logs(inspection: HostInspection) -> dict[NginxAccessLog, set[int]]:
    """Each access log with the servers that write to it."""
    every: dict[NginxAccessLog, set[int]] = {}
    for server in inspection.router.servers.servers:
        for scope in (server.scope, *server.scope.locations):
            for log in access_logs(scope, inspection.nginx.build.access_log):
                every.setdefault(log, set()).add(id(server))
    return every


def _sort(sharing: list[ServerTraffic], fields: Mapping[str, str], line: str) -> None:
    """Put a visit where it belongs; a log that many servers share often does not tell."""
    asked = _REQUEST.match(fields.get("request", ""))
    if not asked or fields.get("http_user_agent") == _OWN:
        return
    named = next((fields[name].partition(":")[0] for name in _HOSTS if name in fields), "")
    able = [one for one in sharing if not named or one.may_be_named(named)]
    fit = [one for one in able if one.may_serve(asked[1])]
    if len(fit) == 1:
        # Taken out first, so that the latest come last.
        fit[0].requests.pop(asked[1], None)
        fit[0].requests[asked[1]] = LoggedRequest(
            asked[1], fields.get("status", ""), answered_by(fields), line
        )
