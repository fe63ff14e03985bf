"""Going down from a pinned root by relative paths, never by a name twice."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from reconcile.filesystem.attributes import by_descriptor
from reconcile.filesystem.safe_path import DirectoryTrust, directory, guard_of

READ_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
MOUNT_ID = b"mnt_id:"


def open_below(directory: int, name: str) -> int:
    """The directory `name` in a pinned one, never through a symlink."""
    return os.open(name, READ_DIRECTORY, dir_fd=directory)


def mount_of(fd: int) -> int:
    """The mount that a descriptor lies on; a bind mount of one filesystem has its own.

    Source: proc_pid_fdinfo(5).
    """
    info = os.open(f"/proc/self/fdinfo/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = os.read(info, 4096)
    finally:
        os.close(info)
    return int(text.partition(MOUNT_ID)[2].split(None, 1)[0])


def are_mounts_below(root: int) -> bool:
    """Whether anything is mounted below the directory `root`, as far as names tell.

    Source: proc_pid_mountinfo(5), field 5, where blanks and backslashes are escaped.
    """
    path = os.fsencode(os.readlink(by_descriptor(root)))
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
    guard: DirectoryTrust
    names: list[str]


NOTHING = Listing(-1, "open", [])
"""The listing of a directory that does not exist."""


class Descent:
    """Directories below a root, the last one held open: quick for paths in order."""

    def __init__(self, root: int, guard: DirectoryTrust) -> None:
        self._root, self._root_guard = root, guard
        self._mount = mount_of(root)
        self._at = ""
        self._fd = os.dup(root)
        self._guard: DirectoryTrust = guard

    def to(self, folder: str) -> tuple[int, DirectoryTrust]:
        """The directory `folder` ("" is the root) and who may change names in it.

        Errors: OSError; EXDEV where a mount is in the way.
        """
        if folder != self._at:
            if not self._leads_to(folder):
                self._hold(os.dup(self._root), "", self._root_guard)
            for name in folder[len(self._at) :].split("/"):
                if name:
                    self._enter(name)
        return self._fd, self._guard

    @contextmanager
    def listing(self, folder: str) -> Iterator[Listing]:
        above, guard = self.to(folder)
        fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=above)
        try:
            yield Listing(fd, guard, os.listdir(fd))
        finally:
            os.close(fd)

    def size(self, folder: str) -> int:
        """The size of a directory itself, which tells how many names it holds."""
        return os.fstat(self.to(folder)[0]).st_size

    def _leads_to(self, folder: str) -> bool:
        return folder.startswith(self._at + "/") if self._at else True

    def _enter(self, name: str) -> None:
        fd = open_below(self._fd, name)
        if mount_of(fd) != self._mount:
            os.close(fd)
            raise OSError(errno.EXDEV, "it is another filesystem or a bind mount")
        path = f"{self._at}/{name}" if self._at else name
        self._hold(fd, path, guard_of(os.fstat(fd), self._guard))

    def _hold(self, fd: int, path: str, guard: DirectoryTrust) -> None:
        os.close(self._fd)
        self._fd, self._at, self._guard = fd, path, guard

    def on_this_mount(self, pin: int) -> bool:
        """Whether a pinned inode is reached without crossing a mount, a file's bind mount too."""
        return mount_of(pin) == self._mount

    def close(self) -> None:
        os.close(self._fd)


@contextmanager
def descent(root: str) -> Iterator[Descent]:
    """Ways down from the directory `root`."""
    with directory(root) as (pin, guard):
        way = Descent(pin, guard)
        try:
            yield way
        finally:
            way.close()
