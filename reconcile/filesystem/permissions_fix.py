"""Give what a scan found below a root its owner and mode, and record how that is undone.

An inode whose ctime is that of the scan is recorded as it was found, a batch with one flush.
Any other is examined again first.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple, TypeGuard

from reconcile.dataclass import dataclass
from reconcile.filesystem.attributes import (
    affected_attributes,
    change_owner_and_mode,
    set_owner_and_mode,
)
from reconcile.filesystem.inode import Ownership
from reconcile.filesystem.openat import GONE, DirectoryCursor, directory_cursor
from reconcile.filesystem.permissions import (
    PermissionDeviation,
    PermissionPolicy,
    may_change_owner,
    may_restrict,
)
from reconcile.filesystem.permissions_undo import PermissionsChangedBelow
from reconcile.filesystem.place_guard import UNGUARDED, PlaceGuard
from reconcile.filesystem.safe_path import PIN, DirectoryTrust, closing
from reconcile.filesystem.undo import Recorder

BATCH = 2_000
"""Inodes whose undo is made durable at once."""


def fix_permissions(
    recorder: Recorder | None,
    root: str,
    policy: PermissionPolicy,
    deviations: Sequence[PermissionDeviation],
    guard: PlaceGuard = UNGUARDED,
) -> list[PermissionDeviation]:
    """Give what deviates below `root` the owner and mode of the policy, in the order given.

    What has vanished, was swapped or changed since it was found, or may not be given away
    is left alone and returned; the next scan reports it.
    """
    left: list[PermissionDeviation] = []
    with directory_cursor(root, guard) as cursor:
        for start in range(0, len(deviations), BATCH):
            batch = _Batch(recorder, root, policy, cursor, cursor.has_mounts())
            left += batch.fix(deviations[start : start + BATCH])
    return left


def still_deviating(
    root: str, policy: PermissionPolicy, deviations: Sequence[PermissionDeviation]
) -> list[PermissionDeviation]:
    """Those of `deviations` that still are as they were found, and could be fixed."""
    with directory_cursor(root) as cursor:
        return _Batch(None, root, policy, cursor, cursor.has_mounts()).fixable(deviations)


class _Pin(NamedTuple):
    """A pinned inode, its facts, and the directory that it was found in."""

    fd: int
    now: os.stat_result
    folder: int
    trust: DirectoryTrust


@dataclass(frozen=True)
class _Batch:
    """What deviations are fixed with; `has_mounts`: whether anything is mounted below the root."""

    recorder: Recorder | None
    root: str
    policy: PermissionPolicy
    cursor: DirectoryCursor
    has_mounts: bool

    def fix(self, deviations: Sequence[PermissionDeviation]) -> list[PermissionDeviation]:
        """Record all that can be fixed, with one flush, then fix it; return the rest."""
        examined = [self._examine(found) for found in deviations]
        left = [found for found, now in zip(deviations, examined, strict=True) if now is None]
        fixable = [now for now in examined if now is not None]
        if fixable and self.recorder is not None:
            undo = PermissionsChangedBelow.of(self.root, self.policy, fixable)
            self.recorder.record_undo(undo)
        for found, pin in self._pinned(fixable):
            if self._may_fix(pin, found):
                self._give(found, pin)
            else:
                left.append(found)
        return left

    def fixable(self, deviations: Iterable[PermissionDeviation]) -> list[PermissionDeviation]:
        """Those that still are as they were found, and may be fixed."""
        unfixed = (one for one in deviations if (now := self._stat(one)) and _is_as_found(now, one))
        return [found for found, pin in self._pinned(unfixed) if self._may_fix(pin, found)]

    def _examine(self, found: PermissionDeviation) -> PermissionDeviation | None:
        """The deviation as it is now; None where it is gone, or must not be fixed."""
        if found.attributes is not None and self._is_unchanged(found):
            return found
        for _, pin in self._pinned([found]):
            if self._may_fix(pin, found):
                attributes = tuple(affected_attributes(pin.fd).items())
                return PermissionDeviation.of(found.path, pin.now, attributes)
        return None

    def _is_unchanged(self, found: PermissionDeviation) -> bool:
        """Whether its ctime is that at which its attributes were read."""
        now = self._stat(found)
        return now is not None and now.st_ctime_ns == found.ctime_ns and _is_as_found(now, found)

    def _stat(self, found: PermissionDeviation) -> os.stat_result | None:
        """What is under its name now; None where that is gone."""
        folder, _, name = found.path.rpartition("/")
        try:
            return os.stat(name, dir_fd=self.cursor.enter(folder)[0], follow_symlinks=False)
        except OSError as error:
            if error.errno not in GONE:
                raise
            return None

    def _pinned(
        self, deviations: Iterable[PermissionDeviation]
    ) -> Iterator[tuple[PermissionDeviation, _Pin | None]]:
        """Each with what is under its name, pinned until the next; None where that is gone."""
        for found in deviations:
            folder, _, name = found.path.rpartition("/")
            try:
                above, trust = self.cursor.enter(folder)
                fd = os.open(name, PIN, dir_fd=above)
            except OSError as error:
                if error.errno not in GONE:
                    raise
                yield found, None
            else:
                with closing(fd):
                    yield found, _Pin(fd, os.fstat(fd), above, trust)

    def _may_fix(self, pin: _Pin | None, found: PermissionDeviation) -> TypeGuard[_Pin]:
        """Whether it still is what was found, where nobody else can have put it."""
        if pin is None or not _is_as_found(pin.now, found) or not self._is_on_this_mount(pin):
            return False
        if not found.is_directory and pin.now.st_nlink > 1:
            return False
        # Unchanged since it was found where it could be changed, so nobody has planted it. A
        # directory changes with the names in it, and is the same: it cannot get a second name.
        is_proven = found.is_directory or pin.now.st_ctime_ns == found.ctime_ns
        if is_proven or pin.trust == "trusted":
            return True
        wanted = self.policy.ownership(found.is_directory)
        return may_restrict(pin.now, wanted) or may_change_owner(pin.now, pin.folder, wanted.uid)

    def _is_on_this_mount(self, pin: _Pin) -> bool:
        """Its device tells, unless anything was mounted below the root when the batch began."""
        if pin.now.st_dev != self.cursor.device:
            return False
        return not self.has_mounts or self.cursor.is_on_this_mount(pin.fd)

    def _give(self, found: PermissionDeviation, pin: _Pin) -> None:
        wanted = self.policy.ownership(found.is_directory)
        if found.attributes == () and pin.now.st_ctime_ns == found.ctime_ns:
            # Without capabilities, which a change of owner takes away, nothing is left to read.
            change_owner_and_mode(pin.fd, Ownership.of(pin.now), wanted)
        else:
            set_owner_and_mode(pin.fd, *wanted)


def _is_as_found(now: os.stat_result, found: PermissionDeviation) -> bool:
    kind = stat.S_IFDIR if found.is_directory else stat.S_IFREG
    return (
        now.st_ino == found.ino
        and now.st_mode == kind | found.mode
        and now.st_uid == found.uid
        and now.st_gid == found.gid
    )
