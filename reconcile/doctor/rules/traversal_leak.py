"""`location /static { alias /srv/static/; }`: `/static../app.py` is served from the parent."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, error


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each alias whose location has no trailing slash."""
    for mapping in inspection.mappings:
        if mapping.is_alias and not mapping.prefix.endswith("/") and not mapping.is_internal:
            yield _exposed_parent(mapping)


def _exposed_parent(mapping: LocationMapping) -> RuleResult:
    leak = (
        f"{mapping.prefix}../NAME is served from the parent of {mapping.path}"
        if mapping.folder.endswith("/")
        else f"{mapping.prefix}NAME is served from {mapping.folder}NAME, next to the folder"
    )
    scope = mapping.scope
    location = " ".join(filter(None, ("location", scope.modifier, f"{mapping.prefix}/")))
    return error(
        f"{mapping} exposes files outside of {mapping.path}.",
        f"{scope.directive.place}: {scope}",
        f"{mapping.place}: alias {mapping.folder};",
        leak,
        fix=f"{scope.directive.place}: {location} {{ alias {mapping.path}/; … }}, then reload"
        " nginx.",
        apply_fixes=mapping.is_restored_by_apply,
    )


RULE = Rule(
    id="traversal-leak",
    summary="An alias exposes files outside of its folder.",
    severity="error",
    help=(
        "A prefix without a slash also matches longer names, which nginx joins to the "
        "alias: files beside the folder, or above it, are served. End both with a slash."
    ),
    reads=("configuration", "files"),
    guide_rows=("CC2",),
    check=check,
)
