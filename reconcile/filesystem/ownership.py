"""Whose inodes may be given a new owner: the line that no attacker may make us cross.

Where somebody else may write, a name can be turned into a hard link to, or be a
moved, inode of another user at any moment. So root's inodes are never changed
there, and a third user's only where the kernel forbids links to files that the
linker may not write (fs.protected_hardlinks).
"""

from __future__ import annotations

import os
import stat
from functools import cache

from reconcile.filesystem.errors import HostError
from reconcile.filesystem.resolve import PinnedName

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
