"""From a path to a name in a pinned directory, without being led astray.

The walk starts at `/` and opens one component after the other, so nobody can
swap a directory under us. A symlink is followed only where it lies in a
directory that nobody but root (or whoever runs this) can write; below the first
directory that someone else may write, no symlink is followed at all.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Literal

from reconcile.dataclass import dataclass
from reconcile.filesystem.host_error import UnsafePath
from reconcile.filesystem.inode import kind_of

DirectoryTrust = Literal["closed", "sticky", "open"]
"""Who may change names in a directory: trusted users only; everyone, but not each other's
(as in /tmp); someone else."""

PIN = os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC
PIN_DIRECTORY = PIN | os.O_DIRECTORY
MOST_SYMLINKS = 40
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True)
class PinnedName:
    """A name in a pinned directory, the only way in which changes reach the disk."""

    path: str
    dir_fd: int
    name: str
    trust: DirectoryTrust

    def stat(self) -> os.stat_result | None:
        try:
            return os.stat(self.name, dir_fd=self.dir_fd, follow_symlinks=False)
        except FileNotFoundError:
            return None

    def pin(self) -> int:
        """A descriptor that stands for the inode, whatever becomes of the name."""
        return os.open(self.name, PIN, dir_fd=self.dir_fd)

    def is_trusted_origin(self, pinned: os.stat_result) -> bool:
        """Whether only trusted users can have put this inode under this name."""
        if self.trust == "closed":
            return True
        ours = self.trust == "sticky" and pinned.st_uid in trusted_users()
        # A directory cannot be hard-linked, so in /tmp its owner is who made it there.
        return ours and stat.S_ISDIR(pinned.st_mode)


@cache
def _trusted_by(euid: int) -> frozenset[int]:
    return frozenset({0, euid})


def trusted_users() -> frozenset[int]:
    """The users whose directories cannot be turned against us: root and who runs this."""
    return _trusted_by(os.geteuid())


def trust_of(st: os.stat_result, above: DirectoryTrust) -> DirectoryTrust:
    """Who may change names in the directory `st`, reached through one guarded `above`."""
    if above == "open" or st.st_uid not in trusted_users():
        return "open"
    if not st.st_mode & OTHERS_WRITE:
        return "closed"
    return "sticky" if st.st_mode & stat.S_ISVTX else "open"


@contextmanager
def pin_name(path: str, *, follow: bool = False) -> Iterator[PinnedName]:
    """The last name of `path` in its pinned parent; `follow`: of what it safely points to.

    Errors: FileNotFoundError where a directory on the way is absent; UnsafePath.
    """
    found = _PathWalk(path).to_name(follow=follow)
    try:
        yield found
    finally:
        os.close(found.dir_fd)


@contextmanager
def pin_directory(path: str) -> Iterator[tuple[int, DirectoryTrust]]:
    """The directory `path` itself, pinned, and who may change names in it."""
    with pin_name(path, follow=True) as found:
        fd = os.open(found.name, PIN_DIRECTORY, dir_fd=found.dir_fd)
        try:
            yield fd, trust_of(os.fstat(fd), found.trust)
        finally:
            os.close(fd)


def first_untrusted_above(path: str) -> tuple[str, os.stat_result] | None:
    """The topmost directory on the way to `path` that somebody else may write; not itself.

    Those that are absent are nobody's. Errors: UnsafePath.
    """
    names = _components_last_first(path)[:0:-1]
    for depth in range(1, len(names) + 1):
        above = "/" + "/".join(names[:depth])
        try:
            with pin_directory(above) as (fd, guard):
                if guard == "open":
                    return above, os.fstat(fd)
        except FileNotFoundError:
            return None
    return None


class _PathWalk:
    """The way down one path; holds one descriptor, the directory it has come to."""

    def __init__(self, path: str) -> None:
        if not path.startswith("/") or "\0" in path:
            raise UnsafePath("it is not an absolute path", "Write the whole path, from / on.")
        self.path = path
        self.names = _components_last_first(path)
        self.symlinks = 0
        self.fd = -1
        self.trust: DirectoryTrust = "closed"

    def to_name(self, *, follow: bool) -> PinnedName:
        try:
            self._to_root()
            while self._must_go_on(follow) and self._step():
                pass
        except BaseException:
            self._close()
            raise
        name = self.names[0] if self.names else "."
        return PinnedName(self.path, self.fd, name, self.trust)

    def _must_go_on(self, follow: bool) -> bool:
        return len(self.names) > 1 or (bool(self.names) and (follow or self.names[0] == ".."))

    def _to_root(self) -> None:
        self._enter(os.open("/", PIN_DIRECTORY), "closed")

    def _enter(self, fd: int, above: DirectoryTrust) -> None:
        self._close()
        self.fd = fd
        self.trust = trust_of(os.fstat(fd), above)

    def _close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)

    def _step(self) -> bool:
        """One component further; False when the last one is there to stay."""
        name, is_last = self.names[-1], len(self.names) == 1
        if name == ".." and self.trust == "open":
            raise _unsafe("it goes through .. below a directory that others may write")
        try:
            fd = os.open(name, PIN, dir_fd=self.fd)
        except FileNotFoundError:
            if is_last:
                return False
            raise
        return self._arrive(fd, name, is_last)

    def _arrive(self, fd: int, name: str, is_last: bool) -> bool:
        kind = kind_of(os.fstat(fd).st_mode)
        if kind == "symlink":
            self._follow(fd, name)
        elif is_last and name != "..":
            os.close(fd)
            return False
        elif kind == "directory":
            self.names.pop()
            self._enter(fd, self.trust)
        else:
            os.close(fd)
            raise NotADirectoryError(errno.ENOTDIR, "Not a directory")
        return True

    def _follow(self, link: int, name: str) -> None:
        try:
            target = os.readlink("", dir_fd=link)
        finally:
            os.close(link)
        if self.trust != "closed":
            raise _unsafe(f"{name} is a symlink in a directory that others may write")
        self.symlinks += 1
        if self.symlinks > MOST_SYMLINKS:
            raise _unsafe("the symlinks on the way go round in a circle")
        self.names.pop()
        self.names.extend(_components_last_first(target))
        if target.startswith("/"):
            self._to_root()


def _components_last_first(path: str) -> list[str]:
    """The components of `path`, the next one last."""
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]


def _unsafe(why: str) -> UnsafePath:
    return UnsafePath(
        why, "Give that directory to root, writable by nobody else, or remove the symlink."
    )
