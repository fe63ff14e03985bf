"""Resolve a path to a name in a pinned directory, so that nobody can redirect it.

The walk starts at `/` and opens one component after the other, so nobody can
swap a directory during it. A symlink is followed only in a directory that nobody
but root (or who runs this) can write; below the first directory that someone else
can write, no symlink is followed at all.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from functools import cache
from posixpath import dirname
from typing import Literal

from reconcile.dataclass import dataclass
from reconcile.filesystem.host_error import UnsafePath
from reconcile.filesystem.inode import Ownership, kind_of
from reconcile.filesystem.path import ancestors_top_down, components

DirectoryTrust = Literal["trusted", "sticky", "untrusted"]
"""Who can change names in a directory: trusted users only; everyone, but not each other's
(as in /tmp); someone else."""

PIN = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
PIN_DIRECTORY = PIN | os.O_DIRECTORY
READ_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
MOST_SYMLINKS = 40
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class closing:  # noqa: N801  named as contextlib's; a generator takes five times as long
    """Close `fd` at the end of the body."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __enter__(self) -> int:
        return self.fd

    def __exit__(self, *_: object) -> None:
        os.close(self.fd)


def open_readable(dir_fd: int) -> AbstractContextManager[int]:
    """Open the pinned directory `dir_fd` for calls that refuse an O_PATH descriptor."""
    return closing(os.open(".", READ_DIRECTORY, dir_fd=dir_fd))


@dataclass(frozen=True)
class NameIn:
    """A name in a pinned directory."""

    path: str
    dir_fd: int
    name: str

    def stat(self) -> os.stat_result | None:
        """The inode under the name, no symlink followed; None where absent."""
        try:
            return os.stat(self.name, dir_fd=self.dir_fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def pinned(self, flags: int = PIN) -> AbstractContextManager[int]:
        """Open a descriptor of the inode, which stays the same when the name changes."""
        return closing(os.open(self.name, flags, dir_fd=self.dir_fd))


@dataclass(frozen=True)
class PinnedName(NameIn):
    """The same and who can change it, the only way in which changes reach the disk."""

    trust: DirectoryTrust

    def is_trusted_origin(self, pinned: os.stat_result) -> bool:
        """Whether only trusted users can have put this inode under this name."""
        if self.trust == "trusted":
            return True
        is_theirs = self.trust == "sticky" and pinned.st_uid in trusted_users()
        # A directory cannot be hard-linked, so in /tmp its owner is who made it there.
        return is_theirs and stat.S_ISDIR(pinned.st_mode)


@cache
def _trusted_by(euid: int) -> frozenset[int]:
    return frozenset({0, euid})


def trusted_users() -> frozenset[int]:
    """The users who cannot attack this process: root and who runs it."""
    return _trusted_by(os.geteuid())


def is_private(given: Ownership) -> bool:
    """Whether trusted users alone can change names in a directory with this owner and mode."""
    return given.uid in trusted_users() and not given.mode & OTHERS_WRITE


def trust_of(st: os.stat_result, above: DirectoryTrust) -> DirectoryTrust:
    """Who can change names in the directory `st`, which lies in one of trust `above`."""
    return _trust(st.st_uid, st.st_mode, above)


def trust_given(given: Ownership, above: DirectoryTrust) -> DirectoryTrust:
    """The same for a directory with that owner and mode."""
    return _trust(given.uid, given.mode, above)


def _trust(uid: int, mode: int, above: DirectoryTrust) -> DirectoryTrust:
    if above == "untrusted" or uid not in trusted_users():
        return "untrusted"
    if not mode & OTHERS_WRITE:
        return "trusted"
    return "sticky" if mode & stat.S_ISVTX else "untrusted"


@contextmanager
def pin_name(path: str, *, follow: bool = False) -> Iterator[PinnedName]:
    """The last name of `path` in its pinned parent; `follow`: of what it safely points to.

    Errors: FileNotFoundError where a directory above is absent; UnsafePath.
    """
    found = _PathWalk(path).to_name(follow=follow)
    with closing(found.dir_fd):
        yield found


@contextmanager
def pin_directory(path: str) -> Iterator[tuple[int, DirectoryTrust]]:
    """The directory `path` itself, pinned, and who can change names in it."""
    with pin_name(path, follow=True) as at, at.pinned(PIN_DIRECTORY) as fd:
        yield fd, trust_of(os.fstat(fd), at.trust)


def first_untrusted_above(path: str) -> tuple[str, os.stat_result] | None:
    """The topmost directory above `path` that somebody else can write; not `path` itself.

    Absent directories do not count. Errors: UnsafePath.
    """
    # Below one that others can write nothing is trusted again: most paths need one walk.
    with suppress(OSError, UnsafePath), pin_directory(dirname(path)) as (_, trust):
        if trust != "untrusted":
            return None
    for above in ancestors_top_down(path):
        try:
            with pin_directory(above) as (fd, trust):
                if trust == "untrusted":
                    return above, os.fstat(fd)
        except FileNotFoundError:
            return None
    return None


def topmost_untrusted(dir_fd: int) -> os.stat_result | None:
    """The topmost directory that somebody else can write: the open one, or one above it."""
    trust: DirectoryTrust = "trusted"
    for found in _from_root(dir_fd):
        trust = trust_of(found, trust)
        if trust == "untrusted":
            return found
    return None


def _from_root(dir_fd: int) -> list[os.stat_result]:
    """`/` and every directory down to the open one, by `..`, which no symlink redirects."""
    found = [os.fstat(dir_fd)]
    above = os.open("..", PIN_DIRECTORY, dir_fd=dir_fd)
    while not os.path.samestat(os.fstat(above), found[-1]):
        with closing(above):
            found.append(os.fstat(above))
            above = os.open("..", PIN_DIRECTORY, dir_fd=above)
    os.close(above)
    return found[::-1]


class _PathWalk:
    """The walk down one path; holds one descriptor, that of the directory it has reached."""

    def __init__(self, path: str) -> None:
        if not path.startswith("/") or "\0" in path:
            raise UnsafePath("it is not an absolute path", "Use the full path, starting with /.")
        self.path = path
        self.names = components(path)[::-1]
        """Those still to be walked, the next one last."""
        self.symlinks = 0
        self.fd = -1
        self.trust: DirectoryTrust = "trusted"

    def to_name(self, *, follow: bool) -> PinnedName:
        """Walk to the last name, which is followed if it is a link; closes all on an error."""
        try:
            self._enter_root()
            while self._must_go_on(follow) and self._step():
                pass
        except BaseException:
            self._close()
            raise
        name = self.names[0] if self.names else "."
        return PinnedName(self.path, self.fd, name, self.trust)

    def _must_go_on(self, follow: bool) -> bool:
        return len(self.names) > 1 or (bool(self.names) and (follow or self.names[0] == ".."))

    def _enter_root(self) -> None:
        self._enter(root := os.open("/", PIN_DIRECTORY), os.fstat(root), "trusted")

    def _enter(self, fd: int, st: os.stat_result, above: DirectoryTrust) -> None:
        self._close()
        self.fd = fd
        self.trust = trust_of(st, above)

    def _close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)

    def _step(self) -> bool:
        """Walk one component; False where the last one has been reached."""
        name, is_last = self.names[-1], len(self.names) == 1
        if name == ".." and self.trust == "untrusted":
            raise _unsafe("it contains .. below a directory that others can write")
        try:
            fd = os.open(name, PIN, dir_fd=self.fd)
        except FileNotFoundError:
            if is_last:
                return False
            raise
        return self._walk_into(fd, name, is_last)

    def _walk_into(self, fd: int, name: str, is_last: bool) -> bool:
        st = os.fstat(fd)
        kind = kind_of(st.st_mode)
        if kind == "symlink":
            self._follow(fd, name)
        elif is_last and name != "..":
            os.close(fd)
            return False
        elif kind == "directory":
            self.names.pop()
            self._enter(fd, st, self.trust)
        else:
            os.close(fd)
            raise NotADirectoryError(errno.ENOTDIR, "Not a directory")
        return True

    def _follow(self, link: int, name: str) -> None:
        with closing(link):
            target = os.readlink("", dir_fd=link)
        if self.trust != "trusted":
            raise unsafe_link(name)
        self.symlinks += 1
        if self.symlinks > MOST_SYMLINKS:
            raise _unsafe("its symlinks form a loop")
        self.names.pop()
        self.names.extend(reversed(components(target)))
        if target.startswith("/"):
            self._enter_root()


def unsafe_link(name: str) -> UnsafePath:
    """The error for a symlink that somebody else can have put there."""
    return _unsafe(f"{name} is a symlink in a directory that others can write")


def _unsafe(why: str) -> UnsafePath:
    return UnsafePath(
        why, "Give that directory to root, writable by nobody else, or remove the symlink."
    )
