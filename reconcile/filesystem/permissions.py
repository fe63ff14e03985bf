"""Putting owners and modes right: every inode pinned, proven, recorded, then changed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from reconcile.filesystem.attributes import affected_attributes, set_owner_and_mode
from reconcile.filesystem.file_undo import Ownership, PermissionsChanged
from reconcile.filesystem.openat import DirectoryCursor, directory_cursor
from reconcile.filesystem.path import join
from reconcile.filesystem.safe_path import PIN, DirectoryTrust

if TYPE_CHECKING:
    from reconcile.system import Host


from functools import cache

from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.safe_path import PinnedName

BATCH = 2_000
"""Inodes whose undo is made durable at once."""
GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV}
"""What became of a name is not what was seen: it is no longer ours to change."""


@dataclass(frozen=True)
class PermissionPolicy:
    """What every regular file and every directory must be."""

    uid: int
    gid: int
    file_mode: int
    directory_mode: int


class PermissionDeviation(NamedTuple):
    """One inode that is not as the rule says; `path` is relative to the root.

    `sheltered`: seen where nobody else may write, so `ino` and `ctime_ns` prove
    later that it is still what was seen.
    """

    path: str
    is_directory: bool
    uid: int
    gid: int
    mode: int
    ino: int
    ctime_ns: int
    in_trusted_directory: bool


def fix_permissions(
    host: Host, root: str, rule: PermissionPolicy, deviations: Sequence[PermissionDeviation]
) -> None:
    """Give what deviates below `root` the rule's owner and mode.

    What has vanished, was swapped, or may not be given away is left alone; the
    next scan tells. Upper directories first, as the scan lists them.
    """
    with directory_cursor(root) as way:
        for start in range(0, len(deviations), BATCH):
            batch = deviations[start : start + BATCH]
            if host.recorder is not None:
                host.recorder.record_undo(*_undo_records(root, way, rule, batch))
            for found in batch:
                _fix_one(way, rule, found)


def still_deviating(
    root: str, rule: PermissionPolicy, deviations: Sequence[PermissionDeviation]
) -> list[PermissionDeviation]:
    """Those of `deviations` that still are as they were seen."""
    with directory_cursor(root) as way:
        return [found for found in deviations if _deviates(way, rule, found)]


def _undo_records(
    root: str, way: DirectoryCursor, rule: PermissionPolicy, batch: Sequence[PermissionDeviation]
) -> Iterator[PermissionsChanged]:
    for found in batch:
        with _pin_deviating(way, rule, found) as pin:
            if pin is not None:
                given = Ownership(rule.uid, rule.gid, _mode(rule, found))
                yield PermissionsChanged.of(
                    join(root, found.path), pin, affected_attributes(pin), given
                )


def _fix_one(way: DirectoryCursor, rule: PermissionPolicy, found: PermissionDeviation) -> None:
    with _pin_deviating(way, rule, found) as pin:
        if pin is not None:
            set_owner_and_mode(pin, rule.uid, rule.gid, _mode(rule, found))


def _deviates(way: DirectoryCursor, rule: PermissionPolicy, found: PermissionDeviation) -> bool:
    with _pin_deviating(way, rule, found) as pin:
        if pin is None:
            return False
        now = os.fstat(pin)
        wanted = (rule.uid, rule.gid, _mode(rule, found))
        return (now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode)) != wanted


def _mode(rule: PermissionPolicy, found: PermissionDeviation) -> int:
    return rule.directory_mode if found.is_directory else rule.file_mode


@contextmanager
def _pin_deviating(
    way: DirectoryCursor, rule: PermissionPolicy, found: PermissionDeviation
) -> Iterator[int | None]:
    """The inode that was seen, pinned; None where it must not, or cannot, be changed."""
    folder, _, name = found.path.rpartition("/")
    try:
        above, guard = way.enter(folder)
        pin = os.open(name, PIN, dir_fd=above)
    except OSError as error:
        if error.errno not in GONE:
            raise
        yield None
        return
    try:
        yield pin if _may_fix(way, pin, guard, rule, found) else None
    finally:
        os.close(pin)


def _may_fix(
    way: DirectoryCursor,
    pin: int,
    guard: DirectoryTrust,
    rule: PermissionPolicy,
    found: PermissionDeviation,
) -> bool:
    now = os.fstat(pin)
    kind = stat.S_ISDIR(now.st_mode) if found.is_directory else stat.S_ISREG(now.st_mode)
    if not kind or now.st_ino != found.ino or not way.is_on_this_mount(pin):
        return False
    if not found.is_directory and now.st_nlink > 1:
        return False
    # Unchanged since it was seen where nobody else could write, so it is no planted link.
    proven = found.in_trusted_directory and now.st_ctime_ns == found.ctime_ns
    return proven or guard == "closed" or may_change_owner(now.st_uid, rule.uid)


PROTECTED_HARDLINKS = "/proc/sys/fs/protected_hardlinks"


@cache
def hard_links_are_protected() -> bool:
    try:
        fd = os.open(PROTECTED_HARDLINKS, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        # Without /proc we do not know, and so do not rely on it.
        return False
    try:
        return os.read(fd, 8).strip() == b"1"
    finally:
        os.close(fd)


def may_change_owner(owner: int, desired: int) -> bool:
    """Whether an inode of `owner`, found where others may write, may go to `desired`."""
    if owner == 0:
        return False
    return owner == desired or hard_links_are_protected()


def refuse_unsafe_change(at: PinnedName, pinned: os.stat_result, uid: int) -> None:
    """Guard before every change of a pinned inode. Errors: HostError, nothing was changed."""
    if stat.S_ISLNK(pinned.st_mode):
        raise HostError(
            what=f"{at.path} is a symlink, so its owner and mode were left alone",
            why="what it points to may be anybody's",
            fix="Name the file itself in the YAML, or remove the symlink.",
        )
    if at.is_trusted_origin(pinned) or may_change_owner(pinned.st_uid, uid):
        return
    raise HostError(
        what=f"{at.path} was not changed: it belongs to another user"
        " and lies where somebody else may write",
        why="it could be a link to any of that user's files, and would be given away",
        fix=f"Look at it, then remove it or copy it as the user who should own it: {at.path}",
    )
