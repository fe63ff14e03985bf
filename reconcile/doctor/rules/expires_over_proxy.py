"""`expires` in a location with proxy_pass overrides the app's own Cache-Control."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, warning


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a warning for each location that passes requests on with expires in force."""
    for proxy in inspection.proxy_locations:
        found = proxy.scope.inherited("expires")
        value = " ".join(found[-1].args) if found else "off"
        # A variable may be "off" for these responses.
        if value not in ("off", "epoch", "-1") and "$" not in value:
            yield warning(
                f"expires {value} overrides the Cache-Control of the app of"
                f" {proxy.server.names[0]}, also where it is private or no-store.",
                f"{found[-1].place}: expires {value};",
                proxy.evidence,
                fix=f"{proxy.scope.directive.place}: set expires off; where requests are passed"
                " on.",
            )


RULE = Rule(
    id="expires-over-proxy",
    summary="expires overrides the app's own Cache-Control.",
    severity="warning",
    help=(
        "nginx replaces the app's own Cache-Control, so private pages may be cached and "
        "shown to others. Set expires for files only."
    ),
    reads=("configuration",),
    check=check,
)
