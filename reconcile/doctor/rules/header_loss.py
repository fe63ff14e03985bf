"""An `add_header` in a location replaces all of those that it would inherit."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import all_locations
from reconcile.doctor.rule import Rule, RuleResult, warning
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.routing.headers import AddedHeader, added_headers

_SECURITY = {
    *("strict-transport-security", "x-content-type-options", "content-security-policy"),
    *("x-frame-options", "referrer-policy", "permissions-policy"),
}


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a warning for each location that drops a security header."""
    for server in inspection.servers:
        for scope in all_locations(server):
            lost = _lost_headers(scope)
            if lost:
                yield warning(
                    f"{scope} of {server.names[0]} responds without"
                    f" {', '.join(header.name for header in lost)}.",
                    *(f"{one.place}: add_header {one.name}, not inherited" for one in lost),
                    f"{scope.own['add_header'][0].place}: the location has its own add_header",
                    fix=f"{scope.directive.place}: repeat these headers there.",
                )


def _lost_headers(scope: Scope) -> list[AddedHeader]:
    if "add_header" not in scope.own or scope.parent is None or "return" in scope.own:
        return []
    kept = {header.name.lower() for header in added_headers(scope)}
    return [
        header for header in added_headers(scope.parent) if header.name.lower() in _SECURITY - kept
    ]


RULE = Rule(
    id="header-loss",
    summary="A location drops security headers of its server.",
    severity="warning",
    help=(
        "add_header is inherited only where a location has none of its own. Repeat the "
        "headers there, or include them from one file."
    ),
    reads=("configuration",),
    check=check,
)
