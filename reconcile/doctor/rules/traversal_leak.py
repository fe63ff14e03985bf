"""A location without a slash at its end lets visitors out of the folder."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, error


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    for mapping in inspection.mappings:
        if mapping.is_alias and not mapping.prefix.endswith("/") and not mapping.is_internal:
            yield _told(mapping)


def _told(mapping: LocationMapping) -> RuleResult:
    leak = (
        f"{mapping.prefix}../NAME is answered from the folder above {mapping.path}"
        if mapping.folder.endswith("/")
        else f"{mapping.prefix}NAME is answered with {mapping.folder}NAME, beside the folder"
    )
    scope = mapping.scope
    spelled = (
        f"location {scope.modifier} {mapping.prefix}/"
        if scope.modifier
        else (f"location {mapping.prefix}/")
    )
    return error(
        f"{mapping} gives away files outside of {mapping.path}.",
        f"{scope.directive.place}: {scope}",
        f"{mapping.place}: alias {mapping.folder};",
        leak,
        fix=f"{scope.directive.place}:"
        f" {spelled} {{ alias {mapping.path}/; … }}, then reload nginx.",
        by_apply=mapping.is_restored_by_apply,
    )


RULE = Rule("traversal-leak", ("CC2",), check)
