"""How a copy differs from its source, path by path."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from reconcile.engine.model import Action
from reconcile.filesystem.permissions import PermissionDeviation
from reconcile.filesystem.sync.sync_diff import ChangedSide, FileCopy, Stale, SyncDiff
from reconcile.resources.common import owner_and_mode_change
from reconcile.system.accounts import Accounts
from reconcile.wording import counted

if TYPE_CHECKING:
    from reconcile.resources.assets import Assets


STALE: dict[Stale, str] = {
    "outdated": "compressed from another version of its file",
    "obsolete": "compressed by reconcile, and no longer requested",
}


class Difference(NamedTuple):
    """One path of the copy, what differs, which side changed, and what an apply does to it."""

    path: str
    what: str
    changed_side: ChangedSide
    action: Action


def differences_of(found: SyncDiff, wanted: Assets) -> Iterator[Difference]:
    """Each path that an apply creates, updates or deletes, in the order of its steps."""
    yield from _cleared(found)
    yield from (Difference(f"{path}/", "missing", "source", "create") for path in found.folders)
    yield from (_copy_difference(copy) for copy in found.copies)
    for path, reason in found.stale.items():
        yield Difference(path, STALE[reason], "source", "delete")
    for path in (*found.extraneous, *(f"{folder}/" for folder in found.extraneous_folders)):
        what = "no longer kept" if path in found.due else "not in the source"
        yield Difference(path, what, "source", "delete")
    names = Accounts()
    yield from (_owner_difference(one, wanted, names) for one in found.deviations)


def _cleared(found: SyncDiff) -> Iterator[Difference]:
    kinds = dict.fromkeys((copy.path for copy in found.copies), "becomes a file")
    kinds |= dict.fromkeys(found.folders, "becomes a directory")
    for path in found.cleared:
        yield Difference(path, kinds.get(path, "its directory goes"), "source", "delete")
    for path in found.cleared_folders:
        yield Difference(f"{path}/", kinds.get(path, "its directory goes"), "source", "delete")


def _copy_difference(copy: FileCopy) -> Difference:
    action: Action = "create" if copy.is_new else "update"
    if copy.encoding:
        what = "missing compressed copy" if copy.is_new else "outdated compressed copy"
    elif copy.is_new:
        what = f"missing ({counted(copy.new_size, 'byte')})"
    elif copy.old_size == copy.new_size:
        what = f"different content ({counted(copy.new_size, 'byte')})"
    else:
        what = f"different content ({copy.old_size:,} -> {counted(copy.new_size, 'byte')})"
    return Difference(copy.path, what, copy.changed_side, action)


def _owner_difference(found: PermissionDeviation, wanted: Assets, names: Accounts) -> Difference:
    me = names.current
    owner = f"{names.user_name(found.uid)}:{names.group_name(found.gid)}"
    wanted_owner = f"{wanted.user or me.name}:{wanted.group or names.group_name(me.gid)}"
    mode = wanted.dirs if found.is_directory else wanted.files
    what = owner_and_mode_change((owner, found.mode), (wanted_owner, mode))
    return Difference(found.path, what, "host", "update")
