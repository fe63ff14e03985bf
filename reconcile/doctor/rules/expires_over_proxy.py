"""`expires` in a location with proxy_pass overrides the app's own Cache-Control."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.file_locations import is_for_files
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, note, warning
from reconcile.nginx.model.scope import Scope


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a warning for each location that passes pages on with expires, a note for assets."""
    for proxy in inspection.proxy_locations:
        found = proxy.scope.inherited("expires")
        value = " ".join(found[-1].args) if found else "off"
        # A variable may be "off" for these responses.
        if value not in ("off", "epoch", "-1") and "$" not in value:
            severity = note if is_for_files(proxy.scope) else warning
            yield severity(
                f"expires {value} overrides the Cache-Control of the app of"
                f" {proxy.server.names[0]}, also where it is private or no-store.",
                f"{found[-1].place}: expires {value};",
                proxy.evidence,
                fix=_fix(proxy.scope, found[-1].place),
            )


def _fix(scope: Scope, place: str) -> str:
    own = scope.own.get("expires")
    if own:
        return f"{place}: remove {' '.join(('expires', *own[-1].args))}; then reload nginx."
    return f"{scope.directive.place}: add expires off; inside it, then reload nginx."


RULE = Rule(
    id="expires-over-proxy",
    summary="expires overrides the app's own Cache-Control.",
    severity="warning",
    help=(
        "nginx replaces the app's own Cache-Control, so private pages may be cached and "
        "shown to others. Set expires for files only."
    ),
    reads=("configuration",),
    yaml_key="extra",
    check=check,
)
