"""`root` in a location appends the whole URI: its own prefix comes twice."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, error


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    for mapping in inspection.mappings:
        if _doubles(mapping) and inspection.inventory(mapping.path) is None:
            yield error(
                f"{mapping} looks for its files in {mapping.folder}: root appends the whole URI.",
                f"{mapping.place}: root {mapping.directive.args[0]};",
                f"{mapping.prefix}NAME is looked for as {mapping.folder}NAME, which is not there",
                *_in_the_log(inspection, mapping),
                fix=f"{mapping.place}: alias {quote(_slashed(mapping.root))};"
                " in place of root, then reload nginx.",
                by_apply=mapping.is_restored_by_apply,
            )


def _doubles(mapping: LocationMapping) -> bool:
    own = mapping.prefix.strip("/")
    root = mapping.root.rstrip("/")
    return not mapping.is_alias and bool(own) and f"{root}/".endswith(f"/{own}/")


def _in_the_log(inspection: HostInspection, mapping: LocationMapping) -> list[str]:
    lines = [line for line in inspection.error_lines if line.path.startswith(mapping.folder)]
    return [str(line) for line in lines[-1:]]


def _slashed(path: str) -> str:
    return path.rstrip("/") + "/"


RULE = Rule("root-doubling", ("CC1", "DB4", "CL1", "CL2"), check)
