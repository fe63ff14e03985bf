"""One pass over everything below a root: iterative and by descriptor.

A file that matches the policy costs one fstatat and four comparisons. Nothing is held
but the directories still to be entered, and what deviates.
"""

from __future__ import annotations

import errno
import os
import stat
from collections import deque
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from reconcile.filesystem.attributes import affected_attributes_at
from reconcile.filesystem.mount import mount_id
from reconcile.filesystem.openat import has_mounts_below, open_subdirectory
from reconcile.filesystem.parallel import ProgressCounter
from reconcile.filesystem.path import is_helper_name
from reconcile.filesystem.permissions import (
    Attributes,
    PermissionDeviation,
    PermissionPolicy,
    may_change_owner,
    may_restrict,
)
from reconcile.filesystem.safe_path import PIN, DirectoryTrust, closing, trust_of
from reconcile.filesystem.scan_result import Scan

DEEPEST = 256
"""Levels below the root that are entered; deeper ones are made by no program, but by who wants
this walk to take forever."""
MOST_OPEN = 200
"""Directories held open on the way down; beyond, the upper ones are opened again."""


VANISHED = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
"""What a name that has gone, or is no directory any more, answers."""
CLOSED_MOUNT = (errno.EACCES, errno.EPERM, errno.ENOTCONN)
"""What a user's own mount (FUSE) answers even root."""


class WalkPosition(NamedTuple):
    """A directory by its name in another; the root is the one without a parent.

    Linked, because the paths of a deep tree would fill the memory.
    """

    above: WalkPosition | None
    name: str
    depth: int

    def below(self, name: str) -> WalkPosition:
        """The directory `name` in this one."""
        return WalkPosition(self, name, self.depth + 1)

    def names(self) -> list[str]:
        """The names from the root down."""
        names, here = [], self
        while here.above is not None:
            names.append(here.name)
            here = here.above
        return names[::-1]

    def path_of(self, name: str) -> str:
        """The path of `name` in this directory, relative to the root."""
        return "/".join((*self.names(), name))


ROOT = WalkPosition(None, "", 0)


class Share(NamedTuple):
    """A directory to be walked; of a huge one only every `of`th inode."""

    place: WalkPosition
    part: int = 0
    of: int = 1


class OpenDirectory:
    """A directory on the way down, with the subdirectories still to be entered."""

    __slots__ = ("fd", "may_change", "pending", "place", "trust")

    def __init__(self, fd: int, trust: DirectoryTrust, place: WalkPosition) -> None:
        self.fd, self.trust, self.place = fd, trust, place
        self.pending: list[str] = []
        self.may_change: dict[tuple[int, int, int], bool] = {}


class TreeWalker:
    """Compares what lies below one pinned root with the policy; the results are in `scan`."""

    def __init__(
        self,
        root: int,
        trust: DirectoryTrust,
        policy: PermissionPolicy,
        excluded: Collection[str],
        progress: ProgressCounter | None = None,
    ) -> None:
        self.root, self.trust, self.policy = root, trust, policy
        self.excluded = frozenset(excluded)
        self.progress = progress
        self.scan = Scan()
        self.examined = 0
        self.open_count = 0
        self.device, self.mount = os.fstat(root).st_dev, mount_id(root)
        self.mounts_below = has_mounts_below(root)
        self.file_mode = stat.S_IFREG | policy.file_mode
        self.directory_mode = stat.S_IFDIR | policy.directory_mode

    def walk(self, share: Share) -> None:
        """Everything below one directory, depth first."""
        levels = deque(self._first(share))
        while levels:
            level = levels[-1]
            child = self._down(level) if level.pending else None
            if not level.pending:
                # At once, so that a chain of any length holds one descriptor.
                self._close(levels.pop())
            if child is not None:
                levels.append(child)
            if self.open_count > MOST_OPEN:
                self._close(next(upper for upper in levels if upper.fd >= 0))

    def subdirectories(self, place: WalkPosition) -> list[str]:
        """Scan one directory alone; the names of those in it."""
        level = next(self._first(Share(place)), None)
        if level is None:
            return []
        self._close(level)
        return level.pending

    def directory_size(self, place: WalkPosition) -> int:
        """The size in bytes of the directory itself, which grows with its number of names."""
        level = self._reach(place)
        try:
            return os.fstat(level.fd).st_size
        finally:
            self._close(level)

    def _first(self, share: Share) -> Iterator[OpenDirectory]:
        try:
            level = self._reach(share.place)
        except OSError as error:
            self._record_error(share.place, error)
            return
        self._scan_directory(level, share)
        yield level

    def _down(self, level: OpenDirectory) -> OpenDirectory | None:
        place = level.place.below(level.pending.pop())
        if place.depth > DEEPEST:
            self.scan.too_deep.add("/".join(place.names()))
            return None
        try:
            if level.fd < 0:
                again = self._reach(level.place)
                level.fd, level.trust = again.fd, again.trust
            child = self._enter(level.fd, level.trust, place)
        except OSError as error:
            self._record_error(place, error)
            return None
        self._scan_directory(child, Share(place))
        return child

    def _reach(self, place: WalkPosition) -> OpenDirectory:
        """The directory, opened one component after the other from the root."""
        # Opened again: a duplicate would share its reading position with other processes.
        level = OpenDirectory(open_subdirectory(self.root, "."), self.trust, ROOT)
        self.open_count += 1
        for name in place.names():
            above = level
            try:
                level = self._enter(above.fd, above.trust, WalkPosition(above.place, name, 0))
            finally:
                self._close(above)
        return OpenDirectory(level.fd, level.trust, place)

    def _enter(self, above: int, trust: DirectoryTrust, place: WalkPosition) -> OpenDirectory:
        fd = open_subdirectory(above, place.name)
        found = os.fstat(fd)
        if found.st_dev != self.device or mount_id(fd) != self.mount:
            os.close(fd)
            raise OtherMount
        self.open_count += 1
        return OpenDirectory(fd, trust_of(found, trust), place)

    def _close(self, level: OpenDirectory) -> None:
        if level.fd >= 0:
            os.close(level.fd)
            level.fd = -1
            self.open_count -= 1

    def _record_error(self, place: WalkPosition, error: OSError) -> None:
        path = "/".join(place.names()) or "."
        if isinstance(error, OtherMount) or self._is_closed_mount(error):
            self.scan.mounts.add(path)
        elif error.errno not in VANISHED:
            self.scan.add_unreadable(path, error)

    def _is_closed_mount(self, error: OSError) -> bool:
        is_possible = error.errno in CLOSED_MOUNT and os.geteuid() == 0
        return is_possible and has_mounts_below(self.root)

    def _scan_directory(self, level: OpenDirectory, share: Share) -> None:
        """Examine every name in a directory; the loop that a million files go through."""
        fd, lstat = level.fd, os.stat
        mode, uid, gid = self.file_mode, self.policy.uid, self.policy.gid
        files, before = 0, self.examined
        for name in self._list_names(level, share):
            try:
                st = lstat(name, dir_fd=fd, follow_symlinks=False)
            except OSError as error:
                self._record_error(level.place.below(name), error)
                continue
            if st[0] == mode and st[4] == uid and st[5] == gid and st[3] == 1:
                files += 1
            else:
                self._handle_deviant(level, name, st)
        self.scan.files += files
        self.examined += files
        if self.progress is not None:
            self.progress.add(self.examined - before)

    def _list_names(self, level: OpenDirectory, share: Share) -> Iterable[str]:
        try:
            if share.of > 1:
                return _partition(level.fd, share)
            return os.listdir(level.fd)
        except OSError as error:
            self._record_error(level.place, error)
            return []

    def _handle_deviant(self, level: OpenDirectory, name: str, st: os.stat_result) -> None:
        """Whatever is not a matching file with one name."""
        self.examined += 1
        if is_helper_name(name) or (self.excluded and level.place.path_of(name) in self.excluded):
            return
        if stat.S_ISLNK(st.st_mode):
            self.scan.symlinks += 1
        elif stat.S_ISDIR(st.st_mode):
            if self._compare(level, name, st, self.directory_mode):
                self.scan.directories += 1
                level.pending.append(name)
        elif stat.S_ISREG(st.st_mode):
            self.scan.files += 1
            self._compare(level, name, st, self.file_mode)
        else:
            self.scan.special += 1

    def _compare(self, level: OpenDirectory, name: str, st: os.stat_result, mode: int) -> bool:
        """Record what deviates; False for another mount, which is not part of the tree."""
        uid, gid = self.policy.uid, self.policy.gid
        if st.st_dev == self.device and (st.st_mode, st.st_uid, st.st_gid) == (mode, uid, gid):
            return True
        path, is_trusted = level.place.path_of(name), level.trust == "trusted"
        if st.st_dev != self.device or (self.mounts_below and self._is_mount(level.fd, name)):
            self.scan.mounts.add(path)
            return False
        if not stat.S_ISDIR(st.st_mode) and st.st_nlink > 1:
            self.scan.hard_links.add(path)
        elif not (is_trusted or self._may_change(level, st)):
            self.scan.foreign_owner.add_owned(path, st)
        else:
            self.scan.add_deviation(PermissionDeviation.of(path, st, _attributes(level.fd, name)))
        return True

    def _may_change(self, level: OpenDirectory, st: os.stat_result) -> bool:
        """The same answer for all of one owner and mode; none of them has a second name."""
        owner = st.st_mode, st.st_uid, st.st_gid
        if owner not in level.may_change:
            wanted = self.policy.ownership(stat.S_ISDIR(st.st_mode))
            level.may_change[owner] = may_restrict(st, wanted) or may_change_owner(
                st, level.fd, wanted.uid
            )
        return level.may_change[owner]

    def _is_mount(self, above: int, name: str) -> bool:
        """Whether a name is a mount point; a bind mount of this filesystem has its device, too."""
        try:
            pin = os.open(name, PIN, dir_fd=above)
        except FileNotFoundError:
            return False
        with closing(pin):
            return mount_id(pin) != self.mount


class OtherMount(OSError):
    """A directory that is on another mount, and so is not entered."""


def _attributes(above: int, name: str) -> Attributes | None:
    """What a change of owner and mode may affect; None where that has to be examined again."""
    try:
        return tuple(affected_attributes_at(above, name).items())
    except OSError:
        # It may be gone by now. What is wrong with it shows when it is examined.
        return None


def _partition(fd: int, share: Share) -> Iterator[str]:
    """The names of this share's inodes: no two workers examine the same one."""
    with os.scandir(fd) as entries:
        for entry in entries:
            if entry.inode() % share.of == share.part:
                yield entry.name
