"""Owners and modes below a root: the policy, what deviates from it, and what may be changed.

Where somebody else can write, a name can become a hard link to, or the moved inode of,
another user's file at any moment. So root's inodes are never changed there, and a third
user's only where the kernel forbids links to files that the linker cannot write
(fs.protected_hardlinks), and where that user can have put it there. Every inode is
recorded, pinned, checked, then changed.
"""

from __future__ import annotations

import os
import stat
from functools import cache, cached_property
from typing import NamedTuple

from reconcile.dataclass import dataclass
from reconcile.filesystem.folder_access import can_add_names
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.inode import Ownership
from reconcile.filesystem.safe_path import PinnedName

PROTECTED_HARDLINKS = "/proc/sys/fs/protected_hardlinks"


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
        return self._ownerships[is_directory]

    @cached_property
    def _ownerships(self) -> tuple[Ownership, Ownership]:
        return (
            Ownership(self.uid, self.gid, self.file_mode),
            Ownership(self.uid, self.gid, self.directory_mode),
        )


Attributes = tuple[tuple[str, str], ...]


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
    attributes: Attributes | None = None
    """Those that its change may affect, in hex, at that ctime; None where they were not read."""

    @classmethod
    def of(
        cls, path: str, st: os.stat_result, attributes: Attributes | None = None
    ) -> PermissionDeviation:
        """The deviation of the inode `st`."""
        is_directory = stat.S_ISDIR(st.st_mode)
        mode = stat.S_IMODE(st.st_mode)
        ids = st.st_uid, st.st_gid, mode, st.st_ino, st.st_ctime_ns
        return cls(path, is_directory, *ids, attributes)


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
        why="somebody else may have linked or moved it there, and would get access to it",
        fix=f"Check it, then remove it, or copy it as the user who should own it: {at.path}",
    )
