"""A location that ends with a slash and an alias that does not: names are glued together."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    for mapped in snapshot.mapped:
        if mapped.is_alias and mapped.prefix.endswith("/") and not mapped.folder.endswith("/"):
            glued = [line for line in snapshot.error_lines if line.path.startswith(mapped.folder)]
            seen = [str(line) for line in glued if line.path[len(mapped.folder) :][:1] != "/"][-1:]
            yield error(
                f"The alias of {mapped} has no slash at its end, so every file is 404.",
                f"{mapped.place}: alias {mapped.folder};",
                f"{mapped.prefix}health.txt is looked for as {mapped.folder}health.txt",
                *seen,
                fix=f"{mapped.place}: alias {mapped.folder}/; then reload nginx.",
                by_apply=mapped.is_restored,
            )


RULE = Rule("alias-slash", ("CC2", "DB4", "DB12", "CL1", "CL2"), look)
