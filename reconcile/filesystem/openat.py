"""Reach directories below a pinned root by descriptor, never by the same name twice."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from posixpath import join
from typing import NamedTuple

from reconcile.filesystem.attributes import fd_path
from reconcile.filesystem.mount import mount_id
from reconcile.filesystem.place_guard import (
    UNGUARDED,
    UNGUARDED_TREE,
    GuardedTree,
    PlaceGuard,
    ProtectedPlace,
)
from reconcile.filesystem.safe_path import (
    PIN_DIRECTORY,
    READ_DIRECTORY,
    DirectoryTrust,
    PinnedName,
    open_readable,
    pin_directory,
    trust_of,
)


def open_subdirectory(directory: int, name: str) -> int:
    """Open the directory `name` in a pinned one, never through a symlink."""
    return os.open(name, READ_DIRECTORY, dir_fd=directory)


def has_mounts_below(root: int) -> bool:
    """Whether anything is mounted below the directory `root`, judging by names.

    Source: proc_pid_mountinfo(5), field 5, where blanks and backslashes are escaped.
    """
    path = os.fsencode(os.readlink(fd_path(root)))
    for old, new in ((b"\\", b"\\134"), (b" ", b"\\040"), (b"\t", b"\\011"), (b"\n", b"\\012")):
        path = path.replace(old, new)
    below = path.rstrip(b"/") + b"/"
    # Of this thread: one that reads the host without writing to it has mounts of its own.
    with open("/proc/thread-self/mountinfo", "rb") as lines:
        return any(line.split(b" ", 5)[4].startswith(below) for line in lines)


GONE = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV}
"""The name no longer stands for what was found there, so that must not be changed."""


class Listing(NamedTuple):
    """A directory's names, unsorted, and who can change them.

    Its descriptor is separate from the cursor's, so it stays open when that moves on.
    """

    fd: int
    trust: DirectoryTrust
    names: list[str]


NO_LISTING = Listing(-1, "untrusted", [])
"""The listing of a directory that does not exist."""


class DirectoryCursor:
    """Opens directories below a root and keeps the last one open: fast for paths in order."""

    def __init__(
        self,
        root: int,
        trust: DirectoryTrust,
        path: str = "",
        guarded: GuardedTree = UNGUARDED_TREE,
    ) -> None:
        self._guarded = guarded
        self._root, self._root_trust, self._path = root, trust, path
        self._prefix = join(path, "")
        self._mount = mount_id(root)
        self.device = os.fstat(root).st_dev
        self._at = ""
        self._fd = os.dup(root)
        self._trust: DirectoryTrust = trust

    def enter(self, folder: str) -> tuple[int, DirectoryTrust]:
        """The directory `folder` ("" is the root) and who can change names in it.

        Errors: OSError; EXDEV where a mount is in between.
        """
        if folder != self._at:
            if self._at and not folder.startswith(self._at + "/"):
                self._hold(os.dup(self._root), "", self._root_trust)
            for name in folder[len(self._at) :].split("/"):
                if name:
                    self._step(name)
        return self._fd, self._trust

    def has_mounts(self) -> bool:
        """Whether anything is mounted below the root now."""
        return has_mounts_below(self._root)

    def name(self, path: str) -> PinnedName:
        """The last name of `path` in its directory; valid until the cursor moves on."""
        folder, _, name = path.rpartition("/")
        fd, trust = self.enter(folder)
        return PinnedName(self._prefix + path, fd, name, trust)

    @contextmanager
    def listing(self, folder: str) -> Iterator[Listing]:
        """The names in `folder`."""
        above, trust = self.enter(folder)
        with open_readable(above) as fd:
            yield Listing(fd, trust, os.listdir(fd))

    def directory_size(self, folder: str) -> int:
        """The size in bytes of the directory itself, which grows with its number of names."""
        return os.fstat(self.enter(folder)[0]).st_size

    def _step(self, name: str) -> None:
        fd = open_subdirectory(self._fd, name)
        if mount_id(fd) != self._mount:
            os.close(fd)
            raise OSError(errno.EXDEV, "it is another filesystem or a bind mount")
        path, st = f"{self._at}/{name}" if self._at else name, os.fstat(fd)
        try:
            self._guarded.refuse(fd, st, path, join(self._path, path))
        except BaseException:
            os.close(fd)
            raise
        self._hold(fd, path, trust_of(st, self._trust))

    def _hold(self, fd: int, path: str, trust: DirectoryTrust) -> None:
        os.close(self._fd)
        self._fd, self._at, self._trust = fd, path, trust

    def is_protected(self, path: str) -> bool:
        """Whether the directory `path`, or one above it, holds other people's data."""
        try:
            at = self.name(path)
        except ProtectedPlace:
            return True
        with at.pinned(PIN_DIRECTORY) as pin:
            return self._guarded.holds(pin, path, at.path)

    def is_on_this_mount(self, pin: int) -> bool:
        """Whether a pinned inode is on the root's mount; a file may be a bind mount, too."""
        return mount_id(pin) == self._mount

    def close(self) -> None:
        """Close the directory that is held open."""
        os.close(self._fd)


@contextmanager
def directory_cursor(
    root: str, guard: PlaceGuard = UNGUARDED, planned: DirectoryTrust | None = None
) -> Iterator[DirectoryCursor]:
    """A cursor for what is below the directory `root`; `guard` refuses what is protected.

    `planned`: who will be able to change names in it, where a plan changes that.
    """
    with pin_directory(root) as (pin, now):
        cursor = DirectoryCursor(pin, planned or now, root, guard.enter(pin, root))
        try:
            yield cursor
        finally:
            cursor.close()
