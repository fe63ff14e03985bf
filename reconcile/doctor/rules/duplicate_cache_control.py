"""`expires` and `add_header Cache-Control` each send a header: caches may use either."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import all_locations
from reconcile.doctor.rule import Rule, RuleResult, warning
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.routing.headers import added_headers


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a warning for each location that sends Cache-Control more than once."""
    for server in inspection.servers:
        for scope in all_locations(server):
            sources = _sources(scope)
            if len(sources) > 1:
                yield warning(
                    f"{scope} of {server.names[0]} sends {len(sources)} Cache-Control headers.",
                    *sources,
                    fix=f"{scope.directive.place}: use one add_header Cache-Control"
                    ' "public, max-age=604800"; and no expires.',
                )


def _sources(scope: Scope) -> list[str]:
    """The directives in force that add the header, if the location itself has one of them."""
    own = {*scope.own} & {"expires", "add_header"}
    if not own or "return" in scope.own:
        return []
    added = [
        f"{one.place}: add_header Cache-Control {one.value}"
        for one in added_headers(scope)
        if one.name.lower() == "cache-control"
    ]
    expires = scope.inherited("expires")
    # A variable may be "off" for these responses.
    if expires and expires[-1].args[-1] != "off" and "$" not in expires[-1].args[-1]:
        added.append(f"{expires[-1].place}: expires {' '.join(expires[-1].args)}")
    return added


RULE = Rule(
    id="duplicate-cache-control",
    summary="A response has two Cache-Control headers.",
    severity="warning",
    help=(
        "A response with two Cache-Control headers is cached as either demands. Set it in one way."
    ),
    reads=("configuration",),
    check=check,
)
