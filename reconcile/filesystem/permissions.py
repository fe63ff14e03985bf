"""Putting owners and modes right: every inode pinned, proven, recorded, then changed."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from reconcile.filesystem.attributes import change, touched_attributes
from reconcile.filesystem.file_undo import Meta, Standing
from reconcile.filesystem.openat import Descent, descent
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
    files: int
    dirs: int


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
    sheltered: bool


def mend(
    host: Host, root: str, rule: PermissionPolicy, deviations: Sequence[PermissionDeviation]
) -> None:
    """Give what deviates below `root` the rule's owner and mode.

    What has vanished, was swapped, or may not be given away is left alone; the
    next scan tells. Upper directories first, as the scan lists them.
    """
    with descent(root) as way:
        for start in range(0, len(deviations), BATCH):
            batch = deviations[start : start + BATCH]
            if host.recorder is not None:
                host.recorder.record_undo(*_records(root, way, rule, batch))
            for found in batch:
                _mend(way, rule, found)


def look_again(
    root: str, rule: PermissionPolicy, deviations: Sequence[PermissionDeviation]
) -> list[PermissionDeviation]:
    """Those of `deviations` that still are as they were seen."""
    with descent(root) as way:
        return [found for found in deviations if _still(way, rule, found)]


def _records(
    root: str, way: Descent, rule: PermissionPolicy, batch: Sequence[PermissionDeviation]
) -> Iterator[Meta]:
    for found in batch:
        with _pinned(way, rule, found) as pin:
            if pin is not None:
                given = Standing(rule.uid, rule.gid, _mode(rule, found))
                yield Meta.of(join(root, found.path), pin, touched_attributes(pin), given)


def _mend(way: Descent, rule: PermissionPolicy, found: PermissionDeviation) -> None:
    with _pinned(way, rule, found) as pin:
        if pin is not None:
            change(pin, rule.uid, rule.gid, _mode(rule, found))


def _still(way: Descent, rule: PermissionPolicy, found: PermissionDeviation) -> bool:
    with _pinned(way, rule, found) as pin:
        if pin is None:
            return False
        now = os.fstat(pin)
        wanted = (rule.uid, rule.gid, _mode(rule, found))
        return (now.st_uid, now.st_gid, stat.S_IMODE(now.st_mode)) != wanted


def _mode(rule: PermissionPolicy, found: PermissionDeviation) -> int:
    return rule.dirs if found.is_directory else rule.files


@contextmanager
def _pinned(
    way: Descent, rule: PermissionPolicy, found: PermissionDeviation
) -> Iterator[int | None]:
    """The inode that was seen, pinned; None where it must not, or cannot, be changed."""
    folder, _, name = found.path.rpartition("/")
    try:
        above, guard = way.to(folder)
        pin = os.open(name, PIN, dir_fd=above)
    except OSError as error:
        if error.errno not in GONE:
            raise
        yield None
        return
    try:
        yield pin if _may_change(way, pin, guard, rule, found) else None
    finally:
        os.close(pin)


def _may_change(
    way: Descent,
    pin: int,
    guard: DirectoryTrust,
    rule: PermissionPolicy,
    found: PermissionDeviation,
) -> bool:
    now = os.fstat(pin)
    kind = stat.S_ISDIR(now.st_mode) if found.is_directory else stat.S_ISREG(now.st_mode)
    if not kind or now.st_ino != found.ino or not way.on_this_mount(pin):
        return False
    if not found.is_directory and now.st_nlink > 1:
        return False
    # Unchanged since it was seen where nobody else could write, so it is no planted link.
    proven = found.sheltered and now.st_ctime_ns == found.ctime_ns
    return proven or guard == "closed" or givable(now.st_uid, rule.uid)


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


def givable(owner: int, desired: int) -> bool:
    """Whether an inode of `owner`, found where others may write, may go to `desired`."""
    if owner == 0:
        return False
    return owner == desired or hard_links_are_protected()


def may_change(at: PinnedName, pinned: os.stat_result, uid: int) -> None:
    """Guard before every change of a pinned inode. Errors: HostError, nothing was changed."""
    if stat.S_ISLNK(pinned.st_mode):
        raise HostError(
            what=f"{at.path} is a symlink, so its owner and mode were left alone",
            why="what it points to may be anybody's",
            fix="Name the file itself in the YAML, or remove the symlink.",
        )
    if at.vouches_for(pinned) or givable(pinned.st_uid, uid):
        return
    raise HostError(
        what=f"{at.path} was not changed: it belongs to another user"
        " and lies where somebody else may write",
        why="it could be a link to any of that user's files, and would be given away",
        fix=f"Look at it, then remove it or copy it as the user who should own it: {at.path}",
    )
