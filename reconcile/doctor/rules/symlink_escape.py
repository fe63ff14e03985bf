"""A link among the served files that leads out of their folder."""

from __future__ import annotations

from collections.abc import Iterator
from posixpath import dirname, join, normpath

from reconcile.doctor.evidence import examples
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, error, note
from reconcile.filesystem.inventory import Item


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    for mapping in inspection.mappings:
        found = inspection.inventory(mapping.path)
        if found is None or _is_closed(mapping):
            continue
        leaving = [item for item in found.of_kind("symlink") if _leaves(mapping, item)]
        if leaving:
            yield error(
                f"{len(leaving)} links below {mapping.path} lead out of it; nginx follows them.",
                examples([f"{mapping.path}/{item.path} -> {item.target}" for item in leaving]),
                fix=_fix(mapping),
                by_apply=mapping.is_restored_by_apply and mapping.role == "media",
            )
        elif mapping.role == "media":
            yield note(
                f"nginx follows any link that is put into {mapping.path}.",
                f"{mapping.place}: no disable_symlinks",
                fix=_fix(mapping),
            )


def _is_closed(mapping: LocationMapping) -> bool:
    return mapping.scope.argument("disable_symlinks", "off") != "off"


def _leaves(mapping: LocationMapping, item: Item) -> bool:
    """Whether its target lies elsewhere, and was not linked by root on purpose."""
    target = normpath(join(dirname(f"{mapping.path}/{item.path}"), item.target))
    return not f"{target}/".startswith(f"{mapping.path}/") and (
        mapping.role == "media" or item.stat.uid != 0
    )


def _fix(mapping: LocationMapping) -> str:
    return (
        f"{mapping.scope.directive.place}: disable_symlinks if_not_owner from={mapping.path}/;"
        " then reload nginx."
    )


RULE = Rule("symlink-escape", (), check)
