"""Another location takes the URIs of one that maps files, mostly a regex."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from posixpath import splitext

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, check_each, error
from reconcile.nginx.routing.route import Route
from reconcile.nginx.routing.uri import escaped

USUAL = {"static": (".css", ".js", ".png", ".svg"), "media": (".jpg", ".png", ".txt")}
_NAME = "reconcile-canary"


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    return check_each(inspection.mappings, partial(_shadowed, inspection))


def _shadowed(inspection: HostInspection, mapping: LocationMapping) -> Iterator[RuleResult]:
    lost = [
        (name, route)
        for name in _names(inspection, mapping)
        if (route := _route(inspection, mapping, name)) and _is_lost(route, mapping, name)
    ]
    if lost:
        yield _told(mapping, lost)


def _names(inspection: HostInspection, mapping: LocationMapping) -> list[str]:
    """One real file for each ending, then the usual endings."""
    found = inspection.inventory(mapping.path)
    real = {splitext(item.path)[1]: item.path for item in found.of_kind("file")} if found else {}
    shown = [path for path in real.values() if not any(p[:1] == "." for p in path.split("/"))]
    return shown + [_NAME + ending for ending in USUAL.get(mapping.role, ()) if ending not in real]


def _route(inspection: HostInspection, mapping: LocationMapping, name: str) -> Route | None:
    if mapping.is_internal or not mapping.prefix.endswith("/"):
        return None
    uri = mapping.prefix + escaped(name)
    disk = inspection.disk_with(mapping.folder + name)
    return inspection.route(mapping.server, uri, disk, mapping.host)


def _is_lost(route: Route, mapping: LocationMapping, name: str) -> bool:
    if route.answer.kind == "file" and route.answer.path == mapping.folder + name:
        return False
    taker = route.hops[0].scope if route.hops else None
    own = mapping.scope.directive
    inside = taker is not None and any(scope.directive == own for scope in taker.outward())
    # A refusal is meant so (`location ~ /\. { deny all; }`), another file or program is not.
    return taker is not None and not inside and route.answer.kind != "return"


def _told(mapping: LocationMapping, lost: list[tuple[str, Route]]) -> RuleResult:
    name, route = lost[0]
    taker = route.hops[0]
    answer = route.answer
    goes = (
        f"passed to {answer.target}" if answer.kind == "pass" else f"{answer.path or answer.kind}"
    )
    return error(
        f"{taker.scope} takes {len(lost)} kinds of files away from {mapping}.",
        f"{mapping.prefix}{name} -> {taker.scope} ({taker.place}): {taker.why}; {goes}",
        f"it should be {mapping.folder}{name} ({mapping.place})",
        fix=f"{mapping.scope.directive.place}: location ^~ {mapping.prefix} {{ … }},"
        " which stops the search for a regex; then reload nginx.",
        by_apply=mapping.is_restored_by_apply and mapping.scope.modifier != "^~",
    )


RULE = Rule("route-shadowed", ("CC6", "DB7", "CL8", "CL9"), check)
