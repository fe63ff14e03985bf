"""A location without a slash at its end lets visitors out of the folder."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import Mapped
from reconcile.doctor.rule import Rule, RuleResult, error


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    for mapped in snapshot.mapped:
        if mapped.is_alias and not mapped.prefix.endswith("/") and not mapped.is_internal:
            yield _told(mapped)


def _told(mapped: Mapped) -> RuleResult:
    leak = (
        f"{mapped.prefix}../NAME is answered from the folder above {mapped.path}"
        if mapped.folder.endswith("/")
        else f"{mapped.prefix}NAME is answered with {mapped.folder}NAME, beside the folder"
    )
    scope = mapped.scope
    spelled = (
        f"location {scope.modifier} {mapped.prefix}/"
        if scope.modifier
        else (f"location {mapped.prefix}/")
    )
    return error(
        f"{mapped} gives away files outside of {mapped.path}.",
        f"{scope.directive.place}: {scope}",
        f"{mapped.place}: alias {mapped.folder};",
        leak,
        fix=f"{scope.directive.place}: {spelled} {{ alias {mapped.path}/; … }}; then reload nginx.",
        by_apply=mapped.is_restored,
    )


RULE = Rule("traversal-leak", ("CC2",), look)
