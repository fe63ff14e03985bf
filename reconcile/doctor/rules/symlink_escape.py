"""A link among the served files that leads out of their folder."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import dirname, join, normpath

from reconcile.doctor.evidence import examples
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import Mapped
from reconcile.doctor.rule import Rule, RuleResult, error, note
from reconcile.filesystem.inventory import Item


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    for mapped in snapshot.mapped:
        found = snapshot.inventory(mapped.path)
        if found is None or _is_closed(mapped):
            continue
        leaving = [item for item in found.of_kind("symlink") if _leaves(mapped, item)]
        if leaving:
            yield error(
                f"{len(leaving)} links below {mapped.path} lead out of it, and nginx follows them.",
                examples([f"{mapped.path}/{item.path} -> {item.target}" for item in leaving]),
                fix=_fix(mapped),
                by_apply=mapped.is_restored and mapped.role == "media",
            )
        elif mapped.role == "media":
            yield note(
                f"nginx follows any link that is put into {mapped.path}.",
                f"{mapped.place}: no disable_symlinks",
                fix=_fix(mapped),
            )


def _is_closed(mapped: Mapped) -> bool:
    return mapped.scope.argument("disable_symlinks", "off") != "off"


def _leaves(mapped: Mapped, item: Item) -> bool:
    """Whether its target lies elsewhere, and was not linked by root on purpose."""
    target = normpath(join(dirname(f"{mapped.path}/{item.path}"), item.target))
    return not f"{target}/".startswith(f"{mapped.path}/") and (
        mapped.role == "media" or item.stat.uid != 0
    )


def _fix(mapped: Mapped) -> str:
    return (
        f"{mapped.scope.directive.place}: disable_symlinks if_not_owner from={mapped.path}/;"
        " then reload nginx."
    )


RULE = Rule("symlink-escape", (), look)
