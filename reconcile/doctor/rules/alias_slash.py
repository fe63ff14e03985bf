"""A location that ends with a slash and an alias that does not: names are glued together."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    for mapping in inspection.mappings:
        if mapping.is_alias and mapping.prefix.endswith("/") and not mapping.folder.endswith("/"):
            glued = [
                line for line in inspection.error_lines if line.path.startswith(mapping.folder)
            ]
            seen = [str(line) for line in glued if line.path[len(mapping.folder) :][:1] != "/"][-1:]
            yield error(
                f"The alias of {mapping} has no slash at its end, so every file is 404.",
                f"{mapping.place}: alias {mapping.folder};",
                f"{mapping.prefix}health.txt is looked for as {mapping.folder}health.txt",
                *seen,
                fix=f"{mapping.place}: alias {mapping.folder}/; then reload nginx.",
                by_apply=mapping.is_restored_by_apply,
            )


RULE = Rule("alias-slash", ("CC2", "DB4", "DB12", "CL1", "CL2"), check)
