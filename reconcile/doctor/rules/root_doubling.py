"""`root` in a location appends the whole URI: its own prefix comes twice."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.evidence import quoted
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import Mapped
from reconcile.doctor.rule import Rule, RuleResult, error


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    for mapped in snapshot.mapped:
        if _doubles(mapped) and snapshot.inventory(mapped.path) is None:
            yield error(
                f"{mapped} looks for its files in {mapped.folder}: root appends the whole URI.",
                f"{mapped.place}: root {mapped.directive.args[0]};",
                f"{mapped.prefix}NAME is looked for as {mapped.folder}NAME, which is not there",
                *_in_the_log(snapshot, mapped),
                fix=f"{mapped.place}: alias {quoted(_slashed(mapped.root))};"
                " in place of root, then reload nginx.",
                by_apply=mapped.is_restored,
            )


def _doubles(mapped: Mapped) -> bool:
    own = mapped.prefix.strip("/")
    root = mapped.root.rstrip("/")
    return not mapped.is_alias and bool(own) and f"{root}/".endswith(f"/{own}/")


def _in_the_log(snapshot: HostInspection, mapped: Mapped) -> list[str]:
    lines = [line for line in snapshot.error_lines if line.path.startswith(mapped.folder)]
    return [str(line) for line in lines[-1:]]


def _slashed(path: str) -> str:
    return path.rstrip("/") + "/"


RULE = Rule("root-doubling", ("CC1", "DB4", "CL1", "CL2"), look)
