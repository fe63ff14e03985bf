"""nginx follows symlinks: whoever can write to a folder can publish any file nginx can read."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import LocationMapping
from reconcile.doctor.rule import Rule, RuleResult, error, note
from reconcile.filesystem.inventory import Item
from reconcile.wording import counted, first_few


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for links out of a served folder, a note where uploads could be links."""
    for mapping in inspection.mappings:
        found = inspection.inventory(mapping.path)
        if found is None or _denies_links(mapping):
            continue
        leaving = [item for item in found.of_kind("symlink") if _leaves(mapping, item)]
        if leaving:
            planted = any(_is_planted(inspection, mapping, one) for one in leaving)
            yield (error if planted else note)(
                f"nginx follows {counted(len(leaving), 'link')} out of {mapping.path}.",
                first_few([f"{mapping.path}/{item.path} -> {item.target}" for item in leaving]),
                fix=_fix(mapping),
                apply_fixes=mapping.is_restored_by_apply and mapping.role == "media",
            )
        elif mapping.role == "media":
            yield note(
                f"nginx follows every link that is created in {mapping.path}.",
                f"{mapping.place}: no disable_symlinks",
                fix=_fix(mapping),
            )


def _denies_links(mapping: LocationMapping) -> bool:
    return mapping.scope.argument("disable_symlinks", "off") != "off"


def _leaves(mapping: LocationMapping, item: Item) -> bool:
    """Whether its target is outside; a link that root made among static files is intended."""
    is_suspect = mapping.role == "media" or item.stat.uid != 0
    return is_suspect and mapping.leads_out(item)


def _is_planted(inspection: HostInspection, mapping: LocationMapping, item: Item) -> bool:
    """Whether a link among uploads is no folder that root has put on another disk."""
    is_folder = inspection.nginx.disk.kind(f"{mapping.path}/{item.path}") == "directory"
    return mapping.role == "media" and not (item.stat.uid == 0 and is_folder)


def _fix(mapping: LocationMapping) -> str:
    return (
        f"{mapping.scope.directive.place}: disable_symlinks if_not_owner from={mapping.path}/;"
        " then reload nginx."
    )


RULE = Rule(
    id="symlink-escape",
    summary="Symlinks lead out of a served folder.",
    severity="error",
    help=(
        "Whoever can create a link in a served folder chooses which files nginx sends. "
        "Remove the link, or restrict links to their owner's."
    ),
    reads=("configuration", "files"),
    yaml_key="locations",
    check=check,
)
