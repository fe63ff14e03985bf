"""Another location takes the URIs of one that maps files, mostly a regex."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from posixpath import splitext

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import Mapped
from reconcile.doctor.rule import Rule, RuleResult, each, error
from reconcile.nginx.routing.route import Route
from reconcile.nginx.routing.uri import escaped

USUAL = {"static": (".css", ".js", ".png", ".svg"), "media": (".jpg", ".png", ".txt")}
_NAME = "reconcile-canary"


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    return each(snapshot.mapped, partial(_shadowed, snapshot))


def _shadowed(snapshot: HostInspection, mapped: Mapped) -> Iterator[RuleResult]:
    lost = [
        (name, route)
        for name in _names(snapshot, mapped)
        if (route := _route(snapshot, mapped, name)) and _is_lost(route, mapped, name)
    ]
    if lost:
        yield _told(mapped, lost)


def _names(snapshot: HostInspection, mapped: Mapped) -> list[str]:
    """One real file for each ending, then the usual endings."""
    found = snapshot.inventory(mapped.path)
    real = {splitext(item.path)[1]: item.path for item in found.of_kind("file")} if found else {}
    shown = [path for path in real.values() if not any(p[:1] == "." for p in path.split("/"))]
    return shown + [_NAME + ending for ending in USUAL.get(mapped.role, ()) if ending not in real]


def _route(snapshot: HostInspection, mapped: Mapped, name: str) -> Route | None:
    if mapped.is_internal or not mapped.prefix.endswith("/"):
        return None
    uri = mapped.prefix + escaped(name)
    disk = snapshot.disk_with(mapped.folder + name)
    return snapshot.route(mapped.server, uri, disk, mapped.host)


def _is_lost(route: Route, mapped: Mapped, name: str) -> bool:
    if route.answer.kind == "file" and route.answer.path == mapped.folder + name:
        return False
    taker = route.hops[0].scope if route.hops else None
    own = mapped.scope.directive
    inside = taker is not None and any(scope.directive == own for scope in taker.outward())
    # A refusal is meant so (`location ~ /\. { deny all; }`), another file or program is not.
    return taker is not None and not inside and route.answer.kind != "return"


def _told(mapped: Mapped, lost: list[tuple[str, Route]]) -> RuleResult:
    name, route = lost[0]
    taker = route.hops[0]
    answer = route.answer
    goes = (
        f"passed to {answer.target}" if answer.kind == "pass" else f"{answer.path or answer.kind}"
    )
    return error(
        f"{taker.scope} takes {len(lost)} kinds of files away from {mapped}.",
        f"{mapped.prefix}{name} -> {taker.scope} ({taker.place}): {taker.why}; {goes}",
        f"it should be {mapped.folder}{name} ({mapped.place})",
        fix=f"{mapped.scope.directive.place}: location ^~ {mapped.prefix} {{ … }},"
        " which stops the search for a regex; then reload nginx.",
        by_apply=mapped.is_restored and mapped.scope.modifier != "^~",
    )


RULE = Rule("route-shadowed", ("CC6", "DB7", "CL8", "CL9"), look)
