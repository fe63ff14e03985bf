"""Going down from a pinned root by relative paths, never by a name twice."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from reconcile.filesystem.attributes import fd_path
from reconcile.filesystem.safe_path import DirectoryTrust, pin_directory, trust_of

READ_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
MOUNT_ID = b"mnt_id:"


def open_subdirectory(directory: int, name: str) -> int:
    """The directory `name` in a pinned one, never through a symlink."""
    return os.open(name, READ_DIRECTORY, dir_fd=directory)


def mount_id(fd: int) -> int:
    """The mount that a descriptor lies on; a bind mount of one filesystem has its own.

    Source: proc_pid_fdinfo(5).
    """
    info = os.open(f"/proc/self/fdinfo/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.read(info, 4096)
    finally:
        os.close(info)
    return int(text.partition(MOUNT_ID)[2].split(None, 1)[0])


def has_mounts_below(root: int) -> bool:
    """Whether anything is mounted below the directory `root`, as far as names tell.

    Source: proc_pid_mountinfo(5), field 5, where blanks and backslashes are escaped.
    """
    path = os.fsencode(os.readlink(fd_path(root)))
    for old, new in ((b"\\", b"\\134"), (b" ", b"\\040"), (b"\t", b"\\011"), (b"\n", b"\\012")):
        path = path.replace(old, new)
    below = path.rstrip(b"/") + b"/"
    with open("/proc/self/mountinfo", "rb") as lines:
        return any(line.split(b" ", 5)[4].startswith(below) for line in lines)


class Listing(NamedTuple):
    """A directory's names, as they come, and who may change them.

    Its descriptor is its own, and stays when the way moves on.
    """

    fd: int
    trust: DirectoryTrust
    names: list[str]


NO_LISTING = Listing(-1, "open", [])
"""The listing of a directory that does not exist."""


class DirectoryCursor:
    """Directories below a root, the last one held open: quick for paths in order."""

    def __init__(self, root: int, trust: DirectoryTrust) -> None:
        self._root, self._root_trust = root, trust
        self._mount = mount_id(root)
        self._at = ""
        self._fd = os.dup(root)
        self._trust: DirectoryTrust = trust

    def enter(self, folder: str) -> tuple[int, DirectoryTrust]:
        """The directory `folder` ("" is the root) and who may change names in it.

        Errors: OSError; EXDEV where a mount is in the way.
        """
        if folder != self._at:
            if not self._is_above(folder):
                self._hold(os.dup(self._root), "", self._root_trust)
            for name in folder[len(self._at) :].split("/"):
                if name:
                    self._step(name)
        return self._fd, self._trust

    @contextmanager
    def listing(self, folder: str) -> Iterator[Listing]:
        above, guard = self.enter(folder)
        fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=above)
        try:
            yield Listing(fd, guard, os.listdir(fd))
        finally:
            os.close(fd)

    def directory_size(self, folder: str) -> int:
        """The size of a directory itself, which tells how many names it holds."""
        return os.fstat(self.enter(folder)[0]).st_size

    def _is_above(self, folder: str) -> bool:
        return folder.startswith(self._at + "/") if self._at else True

    def _step(self, name: str) -> None:
        fd = open_subdirectory(self._fd, name)
        if mount_id(fd) != self._mount:
            os.close(fd)
            raise OSError(errno.EXDEV, "it is another filesystem or a bind mount")
        path = f"{self._at}/{name}" if self._at else name
        self._hold(fd, path, trust_of(os.fstat(fd), self._trust))

    def _hold(self, fd: int, path: str, guard: DirectoryTrust) -> None:
        os.close(self._fd)
        self._fd, self._at, self._trust = fd, path, guard

    def is_on_this_mount(self, pin: int) -> bool:
        """Whether a pinned inode is reached without crossing a mount, a file's bind mount too."""
        return mount_id(pin) == self._mount

    def close(self) -> None:
        os.close(self._fd)


@contextmanager
def directory_cursor(root: str) -> Iterator[DirectoryCursor]:
    """Ways down from the directory `root`."""
    with pin_directory(root) as (pin, guard):
        way = DirectoryCursor(pin, guard)
        try:
            yield way
        finally:
            way.close()
