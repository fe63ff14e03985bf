"""A regex location without `^` takes URLs of the app: `~ /media/` also has /account/media/."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial

from reconcile.doctor.app_introspection.app_facts import AppFacts
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.lost_requests import pass_on_edit, requests_lost_to
from reconcile.doctor.rule import Rule, RuleResult, caused, check_each, error, note
from reconcile.nginx.model.latin1 import from_raw
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.routing.route import Route
from reconcile.nginx.routing.servers import Server
from reconcile.wording import counted

_PLACEHOLDER = re.compile(r"<[^<>]*>|\(\?P<\w+>[^()]*\)")
_VALUES = ("reconcile", "reconcile.png", "reconcile.css", "reconcile.js")
"""What stands for a part of a URL that depends on the request."""
_FOLDER = re.compile(r"^\(?/?[A-Za-z][\w-]+")
_MAX_LISTED = 3


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Compare each regex location with the app's routes; a note where those are not known."""
    servers = dict.fromkeys(one.server for one in inspection.proxy_locations)
    return check_each(servers, partial(_check_server, inspection))


def _check_server(inspection: HostInspection, server: Server) -> Iterator[RuleResult]:
    lost: dict[Scope, list[str]] = {}
    for request in requests_lost_to(inspection, server):
        if request.scope.is_regex:
            lost.setdefault(request.scope, []).append(request.uri)
    for scope, uris in lost.items():
        yield _lost(inspection, server, scope, uris)
    facts = inspection.app_facts(server)
    if facts:
        yield from _taken_routes(inspection, server, facts)
        return
    for scope in server.scope.locations:
        # A folder's name in the midst of a regex is meant to be the start of the path.
        if scope.is_regex and _FOLDER.match(scope.name) and not scope.handler:
            uri = f"/reconcile/{_first_folder(scope)}/reconcile"
            route = inspection.nginx.route(server, uri)
            if route and _taker(route) is scope:
                yield _unanchored(server, scope, uri)


def _first_folder(scope: Scope) -> str:
    found = re.search(r"[A-Za-z][\w-]+", from_raw(scope.name))
    return found[0] if found else ""


def _taken_routes(
    inspection: HostInspection, server: Server, facts: AppFacts
) -> Iterator[RuleResult]:
    taken: dict[Scope, list[str]] = {}
    prefixes = tuple(
        one.prefix for one in inspection.mappings if one.server is server and not one.scope.is_regex
    )
    own = tuple(filter(None, (facts.static_url, facts.media_url)))
    for rule, endpoint in facts.routes:
        is_files = endpoint == "static" or endpoint.endswith(".static")
        if is_files or rule.startswith((*own, *(p for p in prefixes if p != "/"))):
            continue
        for uri in _uris(rule):
            route = inspection.nginx.route(server, uri, prefers_tls=True)
            scope = _taker(route) if route else None
            is_intended = route is None or route.answer.kind in ("pass", "redirect")
            if scope and not is_intended and "return" not in scope.own:
                taken.setdefault(scope, []).append(f"{uri} of the route {rule} ({endpoint})")
                break
    for scope, uris in taken.items():
        yield _taken(server, scope, uris)


def _uris(rule: str) -> Iterator[str]:
    """URLs of a route, with values for what depends on the request."""
    if not rule.startswith("/") or "(" in _PLACEHOLDER.sub("", rule):
        return
    for value in _VALUES if _PLACEHOLDER.search(rule) else _VALUES[:1]:
        yield _PLACEHOLDER.sub(value, rule)


def _taker(route: Route) -> Scope | None:
    """The regex location without `^` that answers; None for any other."""
    scope = route.hops[0].scope if route.hops else None
    while scope is not None and scope.parent is not None and scope.directive.name != "location":
        scope = scope.parent
    is_loose = scope is not None and scope.is_regex and not scope.name.startswith("^")
    return scope if is_loose else None


def _lost(inspection: HostInspection, server: Server, scope: Scope, uris: list[str]) -> RuleResult:
    found = error(
        f"{scope} of {server.names[0]} takes {counted(len(uris), 'file')} of the app.",
        f"{scope.directive.place}: nginx looks for them on the disk, and does not find them",
        *(f"GET {uri}: 404; the app itself answers 200" for uri in uris[:_MAX_LISTED]),
        fix=pass_on_edit(inspection, server, scope) or _fix(scope),
    )
    return caused(found, f"no files in {scope.directive.place}")


def _taken(server: Server, scope: Scope, uris: list[str]) -> RuleResult:
    return error(
        f"{scope} of {server.names[0]} takes {counted(len(uris), 'URL')} of the app.",
        f"{scope.directive.place}: {scope} is not bound to the start of the path",
        *(f"GET {uri} does not reach the app" for uri in uris[:_MAX_LISTED]),
        fix=_fix(scope),
    )


def _unanchored(server: Server, scope: Scope, uri: str) -> RuleResult:
    return note(
        f"{scope} of {server.names[0]} also takes URLs of the app that have it in the middle.",
        f"{scope.directive.place}: {uri} does not reach the app",
        fix=_fix(scope),
    )


def _fix(scope: Scope) -> str:
    name, place = from_raw(scope.name), scope.directive.place
    if name.startswith(("/", "(/")):
        return f"{place}: location {scope.modifier} ^{name} {{ … }}, then reload nginx."
    return (
        f"{place}: move it into the location of the files, for example location /static/"
        f" {{ … location {scope.modifier} {name} {{ … }} }}; then reload nginx."
    )


RULE = Rule(
    id="greedy-regex",
    summary="A regex location takes URLs of the app.",
    severity="error",
    help=(
        "A regex without ^ matches anywhere in the path, so pages of the app are answered from "
        "the disk, mostly with 404. Begin it with ^, or move it into the location of the files."
    ),
    reads=("app", "configuration", "files", "logs", "requests"),
    check=check,
)
