"""Owners and modes below a root: the policy, what deviates from it, and how that is fixed.

Where somebody else can write, a name can become a hard link to, or the moved inode of,
another user's file at any moment. So root's inodes are never changed there, and a third
user's only where the kernel forbids links to files that the linker cannot write
(fs.protected_hardlinks), and where that user can have put it there. Every inode is
pinned, checked, recorded, then changed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from posixpath import join
from typing import NamedTuple

from reconcile.filesystem.attributes import affected_attributes, set_owner_and_mode
from reconcile.filesystem.file_undo import PermissionsChanged
from reconcile.filesystem.folder_access import can_add_names
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.inode import Ownership
from reconcile.filesystem.openat import GONE, DirectoryCursor, directory_cursor
from reconcile.filesystem.place_guard import UNGUARDED, PlaceGuard
from reconcile.filesystem.safe_path import PinnedName
from reconcile.filesystem.undo import Recorder

PROTECTED_HARDLINKS = "/proc/sys/fs/protected_hardlinks"
BATCH = 2_000
"""Inodes whose undo is made durable at once."""


@dataclass(frozen=True)
class PermissionPolicy:
    """The owner of everything below a root, the mode of files and that of directories."""

    uid: int
    gid: int
    file_mode: int
    directory_mode: int

    def mode(self, is_directory: bool) -> int:
        """The mode of a directory or a file."""
        return self.directory_mode if is_directory else self.file_mode

    def ownership(self, is_directory: bool) -> Ownership:
        """The owner and mode of a directory or a file."""
        return Ownership(self.uid, self.gid, self.mode(is_directory))


class PermissionDeviation(NamedTuple):
    """One inode that deviates from the policy; `path` is relative to the root.

    `ino` and `ctime_ns` prove later that it is still the inode that was found, and where it
    was found: a move or a link changes the ctime.
    """

    path: str
    is_directory: bool
    uid: int
    gid: int
    mode: int
    ino: int
    ctime_ns: int

    @classmethod
    def of(cls, path: str, st: os.stat_result) -> PermissionDeviation:
        """The deviation of the inode `st`."""
        is_directory = stat.S_ISDIR(st.st_mode)
        owner = Ownership.of(st)
        return cls(path, is_directory, *owner, st.st_ino, st.st_ctime_ns)


@cache
def hard_links_are_protected() -> bool:
    """Whether the kernel forbids hard links to files that the linker cannot write."""
    try:
        with open(PROTECTED_HARDLINKS, "rb") as file:
            return file.read(8).strip() == b"1"
    except OSError:
        # Without /proc it is unknown, so nothing relies on it.
        return False


def may_change_owner(st: os.stat_result, folder: int, desired: int) -> bool:
    """Whether an inode, found in a folder that others can write, may be given to `desired`.

    A file only if its owner can have put it there: it could have been moved there by
    somebody who cannot read it. A directory of another user can be moved by nobody else.
    """
    if st.st_uid == 0:
        return False
    if st.st_uid == desired:
        return True
    is_theirs = stat.S_ISDIR(st.st_mode) or can_add_names(st.st_uid, folder)
    return is_theirs and hard_links_are_protected()


def may_restrict(st: os.stat_result, wanted: Ownership) -> bool:
    """Whether the change lets nobody do anything that they could not do before.

    So it gives nothing away, whoever has put the inode where it is.
    """
    if st.st_uid != wanted.uid or (st.st_nlink > 1 and not stat.S_ISDIR(st.st_mode)):
        return False
    now, others, group = stat.S_IMODE(st.st_mode), wanted.mode & 0o007, wanted.mode >> 3 & 0o007
    had = now >> 3 if st.st_gid == wanted.gid else now & now >> 3
    return not (wanted.mode & ~now & 0o7707 or (group | others) & ~had & 0o007)


def refuse_unsafe_change(at: PinnedName, pinned: os.stat_result, wanted: Ownership) -> None:
    """Check before a change of a pinned inode. Errors: HostError, nothing was changed."""
    if stat.S_ISLNK(pinned.st_mode):
        raise HostError(
            what=f"{at.path} is a symlink; its owner and mode were not changed",
            why="it can point to any file",
            fix="Declare the file that it points to, or remove the symlink.",
        )
    if at.is_trusted_origin(pinned) or may_restrict(pinned, wanted):
        return
    if may_change_owner(pinned, at.dir_fd, wanted.uid):
        return
    raise HostError(
        what=f"{at.path} was not changed: it belongs to another user,"
        " in a directory that somebody else can write",
        why="somebody else can have linked or moved it there, and it would be given away",
        fix=f"Check it, then remove it, or copy it as the user who should own it: {at.path}",
    )


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
            batch = deviations[start : start + BATCH]
            if recorder is not None:
                recorder.record_undo(*_undo_records(root, cursor, policy, batch))
            for found in batch:
                with _pin_deviating(cursor, policy, found) as pin:
                    if pin is None:
                        left.append(found)
                    else:
                        set_owner_and_mode(pin, *policy.ownership(found.is_directory))
    return left


def still_deviating(
    root: str, policy: PermissionPolicy, deviations: Sequence[PermissionDeviation]
) -> list[PermissionDeviation]:
    """Those of `deviations` that still are as they were found, and could be fixed."""
    with directory_cursor(root) as cursor:
        return [found for found in deviations if _deviates(cursor, policy, found)]


def _undo_records(
    root: str,
    cursor: DirectoryCursor,
    policy: PermissionPolicy,
    batch: Sequence[PermissionDeviation],
) -> Iterator[PermissionsChanged]:
    for found in batch:
        with _pin_deviating(cursor, policy, found) as pin:
            if pin is not None:
                path, given = join(root, found.path), policy.ownership(found.is_directory)
                yield PermissionsChanged.of(path, pin, affected_attributes(pin), given)


def _deviates(
    cursor: DirectoryCursor, policy: PermissionPolicy, found: PermissionDeviation
) -> bool:
    with _pin_deviating(cursor, policy, found) as pin:
        if pin is None:
            return False
        return Ownership.of(os.fstat(pin)) != policy.ownership(found.is_directory)


@contextmanager
def _pin_deviating(
    cursor: DirectoryCursor, policy: PermissionPolicy, found: PermissionDeviation
) -> Iterator[int | None]:
    """The inode that was found, pinned; None where it must not, or cannot, be changed."""
    try:
        at = cursor.name(found.path)
        pinned = at.pinned()
    except OSError as error:
        if error.errno not in GONE:
            raise
        yield None
        return
    with pinned as pin:
        yield pin if _may_fix(cursor, pin, at, policy, found) else None


def _may_fix(
    cursor: DirectoryCursor,
    pin: int,
    at: PinnedName,
    policy: PermissionPolicy,
    found: PermissionDeviation,
) -> bool:
    now = os.fstat(pin)
    is_kind = stat.S_ISDIR(now.st_mode) if found.is_directory else stat.S_ISREG(now.st_mode)
    if Ownership.of(now) != (found.uid, found.gid, found.mode):
        return False
    if not is_kind or now.st_ino != found.ino or not cursor.is_on_this_mount(pin):
        return False
    if not found.is_directory and now.st_nlink > 1:
        return False
    # Unchanged since it was found where it could be changed, so nobody has planted it. A directory
    # changes with the names in it, and is the same: nobody can give it a second name.
    is_proven = found.is_directory or now.st_ctime_ns == found.ctime_ns
    if is_proven or at.trust == "trusted":
        return True
    wanted = policy.ownership(found.is_directory)
    return may_restrict(now, wanted) or may_change_owner(now, at.dir_fd, policy.uid)
