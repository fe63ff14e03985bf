"""One pass over everything below a root: iterative and by descriptor.

A converged file costs one fstatat and four comparisons. Nothing is held but the
directories still to be entered, and what deviates.
"""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, NamedTuple

from reconcile.filesystem.openat import are_mounts_below, mount_of, open_below
from reconcile.filesystem.path import is_ours
from reconcile.filesystem.permissions import PermissionDeviation, PermissionPolicy, givable
from reconcile.filesystem.safe_path import PIN, DirectoryTrust, guard_of
from reconcile.filesystem.scan_result import Scan

if TYPE_CHECKING:
    from reconcile.filesystem.parallel import Tally

DEEPEST = 20_000
MOST_OPEN = 200
"""Directories held open on the way down; beyond, the upper ones are opened anew."""


class WalkPosition(NamedTuple):
    """A directory by its name in another; the root is the one without a parent.

    Linked, because the paths of a deep tree would fill the memory.
    """

    above: WalkPosition | None
    name: str
    depth: int

    def names(self) -> list[str]:
        names, here = [], self
        while here.above is not None:
            names.append(here.name)
            here = here.above
        return names[::-1]

    def path_of(self, name: str) -> str:
        return "/".join((*self.names(), name))


ROOT = WalkPosition(None, "", 0)


class Share(NamedTuple):
    """A directory to be walked; of a huge one only every `of`th inode."""

    place: WalkPosition
    part: int = 0
    of: int = 1


class Level:
    """A directory on the way down, with the subdirectories still to be entered."""

    __slots__ = ("fd", "guard", "pending", "place")

    def __init__(self, fd: int, guard: DirectoryTrust, place: WalkPosition) -> None:
        self.fd, self.guard, self.place = fd, guard, place
        self.pending: list[str] = []


class Walker:
    """Looks at what lies below one pinned root; what it finds gathers in `scan`."""

    def __init__(
        self,
        root: int,
        guard: DirectoryTrust,
        rule: PermissionPolicy,
        excluded: Collection[str],
        tally: Tally | None = None,
    ) -> None:
        self.root, self.guard, self.rule = root, guard, rule
        self.excluded = frozenset(excluded)
        self.tally = tally
        self.scan = Scan()
        self.looked = 0
        self.held = 0
        self.device, self.mount = os.fstat(root).st_dev, mount_of(root)
        self.mounts_below = are_mounts_below(root)
        self.regular = stat.S_IFREG | rule.files
        self.directory = stat.S_IFDIR | rule.dirs

    def walk(self, share: Share) -> None:
        """Everything below one directory, depth first."""
        levels = deque(self._first(share))
        while levels:
            level = levels[-1]
            child = self._down(level) if level.pending else None
            if not level.pending:
                # At once, so that a chain of any length holds one descriptor.
                self._leave(levels.pop())
            if child is not None:
                levels.append(child)
            if self.held > MOST_OPEN:
                self._leave(next(upper for upper in levels if upper.fd >= 0))

    def subdirectories(self, place: WalkPosition) -> list[str]:
        """Look at one directory alone; the names of those below it."""
        level = next(self._first(Share(place)), None)
        if level is None:
            return []
        self._leave(level)
        return level.pending

    def size_of(self, place: WalkPosition) -> int:
        """The size of the directory itself, which tells how many names it holds."""
        fd = self._reach(place).fd
        try:
            return os.fstat(fd).st_size
        finally:
            os.close(fd)
            self.held -= 1

    def _first(self, share: Share) -> Iterator[Level]:
        try:
            level = self._reach(share.place)
        except OSError as error:
            self._failed(share.place, error)
            return
        self._look(level, share)
        yield level

    def _down(self, level: Level) -> Level | None:
        place = WalkPosition(level.place, level.pending.pop(), level.place.depth + 1)
        try:
            if level.fd < 0:
                again = self._reach(level.place)
                level.fd, level.guard = again.fd, again.guard
            child = self._enter(level.fd, level.guard, place)
        except OSError as error:
            self._failed(place, error)
            return None
        self._look(child, Share(place))
        return child

    def _reach(self, place: WalkPosition) -> Level:
        """The directory, opened one component after the other from the root."""
        # Opened anew: a duplicate would share its reading position with other processes.
        level = Level(open_below(self.root, "."), self.guard, ROOT)
        self.held += 1
        for name in place.names():
            above = level
            try:
                level = self._enter(above.fd, above.guard, WalkPosition(above.place, name, 0))
            finally:
                self._leave(above)
        return Level(level.fd, level.guard, place)

    def _enter(self, above: int, guard: DirectoryTrust, place: WalkPosition) -> Level:
        if place.depth > DEEPEST:
            raise OSError(0, f"it is more than {DEEPEST} levels deep")
        fd = open_below(above, place.name)
        found = os.fstat(fd)
        if found.st_dev != self.device or mount_of(fd) != self.mount:
            os.close(fd)
            raise IsAMount
        self.held += 1
        return Level(fd, guard_of(found, guard), place)

    def _leave(self, level: Level) -> None:
        if level.fd >= 0:
            os.close(level.fd)
            level.fd = -1
            self.held -= 1

    def _failed(self, place: WalkPosition, error: OSError) -> None:
        path = "/".join(place.names()) or "."
        if isinstance(error, IsAMount):
            self.scan.mounts.add(path)
        elif isinstance(error, FileNotFoundError):
            self.scan.vanished += 1
        else:
            self.scan.fails(path, error)

    def _look(self, level: Level, share: Share) -> None:
        """Examine every name in a directory; the loop that a million files go through."""
        fd, look = level.fd, os.stat
        regular, uid, gid = self.regular, self.rule.uid, self.rule.gid
        files, before = 0, self.looked
        for name in self._names(level, share):
            try:
                st = look(name, dir_fd=fd, follow_symlinks=False)
            except OSError as error:
                self._failed(WalkPosition(level.place, name, 0), error)
                continue
            if st[0] == regular and st[4] == uid and st[5] == gid and st[3] == 1:
                files += 1
            else:
                self._odd(level, name, st)
        self.scan.files += files
        self.looked += files
        if self.tally is not None:
            self.tally.add(self.looked - before)

    def _names(self, level: Level, share: Share) -> list[str] | Iterator[str]:
        try:
            if share.of > 1:
                return _every(level.fd, share)
            return os.listdir(level.fd)
        except OSError as error:
            self._failed(level.place, error)
            return []

    def _odd(self, level: Level, name: str, st: os.stat_result) -> None:
        """Whatever is not a converged file with one name."""
        self.looked += 1
        if is_ours(name) or (self.excluded and level.place.path_of(name) in self.excluded):
            return
        if stat.S_ISLNK(st.st_mode):
            self.scan.symlinks += 1
        elif stat.S_ISDIR(st.st_mode):
            if self._compare(level, name, st, self.directory):
                self.scan.directories += 1
                level.pending.append(name)
        elif stat.S_ISREG(st.st_mode):
            self.scan.files += 1
            self._compare(level, name, st, self.regular)
        else:
            self.scan.special += 1

    def _compare(self, level: Level, name: str, st: os.stat_result, mode: int) -> bool:
        """Sort in what may deviate; False for another mount, which is none of our business."""
        rule = self.rule
        if st.st_dev != self.device:
            self.scan.mounts.add(level.place.path_of(name))
            return False
        if (st.st_mode, st.st_uid, st.st_gid) == (mode, rule.uid, rule.gid):
            return True
        path, is_directory = level.place.path_of(name), stat.S_ISDIR(st.st_mode)
        sheltered = level.guard == "closed"
        if self.mounts_below and self._is_mount(level.fd, name):
            self.scan.mounts.add(path)
            return False
        if not is_directory and st.st_nlink > 1:
            self.scan.hard_links.add(path)
        elif not sheltered and not givable(st.st_uid, rule.uid):
            self.scan.withheld.add(path)
        else:
            found = PermissionDeviation(
                path,
                is_directory,
                st.st_uid,
                st.st_gid,
                stat.S_IMODE(st.st_mode),
                st.st_ino,
                st.st_ctime_ns,
                sheltered,
            )
            self.scan.deviates(found)
        return True

    def _is_mount(self, above: int, name: str) -> bool:
        """Whether a name stands for a mount; a bind mount of this filesystem looks like any."""
        try:
            pin = os.open(name, PIN, dir_fd=above)
        except FileNotFoundError:
            return False
        try:
            return mount_of(pin) != self.mount
        finally:
            os.close(pin)


class IsAMount(OSError):
    """A directory that is another mount, and so is not entered."""


def _every(fd: int, share: Share) -> Iterator[str]:
    """The names of this share's inodes: no two workers look at one."""
    with os.scandir(fd) as entries:
        for entry in entries:
            if entry.inode() % share.of == share.part:
                yield entry.name
