"""`expires` in a location with proxy_pass overrides the app's own Cache-Control."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, note, warning
from reconcile.nginx.model.scope import Scope

_ENDINGS = re.compile(r"\\\.\(?.*\b(?:css|js|png|jpe?g|gif|svg|woff2?|ico)\b.*\$$")
_FILES = re.compile(r"/(?:static|assets?|media|uploads?|images?|img|css|js|fonts)(?:/|$)")


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a warning for each location that passes pages on with expires, a note for assets."""
    for proxy in inspection.proxy_locations:
        found = proxy.scope.inherited("expires")
        value = " ".join(found[-1].args) if found else "off"
        # A variable may be "off" for these responses.
        if value not in ("off", "epoch", "-1") and "$" not in value:
            severity = note if _is_for_files(proxy.scope) else warning
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


def _is_for_files(scope: Scope) -> bool:
    """Whether only files have such URLs: by their ending, or below a prefix for files."""
    if scope.is_regex:
        return bool(_ENDINGS.search(scope.name))
    return bool(_FILES.search(scope.name))


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
