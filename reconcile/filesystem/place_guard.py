"""Nothing is written or removed where other people's data lies.

The names in a plan are checked when it is made. But links turn, also in the same apply, so
the directory in which an effect happens is checked again, by descriptor, right before it.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Set

from reconcile.dataclass import dataclass
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.place import Location, Locator, Place, locate
from reconcile.filesystem.place_index import PlaceIndex

ProtectedFolders = Mapping[str, Collection[Place]]
"""The name of a folder with other people's data → the places where it was recorded."""
Inode = tuple[int, int]


class ProtectedPlace(HostError):
    """An effect would have happened inside of a folder that is protected."""


class PlaceGuard:
    """Refuses effects inside of `folders`.

    A name that leads to another directory than at the last check is followed again, since a
    link above it may have turned. Where it led before stays protected.

    `locator`: for a plan, which changes nothing: names are followed once; otherwise names and
    mounts are read for each check.
    """

    def __init__(
        self, folders: ProtectedFolders | None = None, locator: Locator | None = None
    ) -> None:
        self._folders = folders or {}
        self._locator = locator
        self._places = PlaceIndex()
        self._followed: dict[str, Inode | None] = {}
        self._passed: Inode | None = None
        for name, recorded in self._folders.items():
            self._places.add(name, Location(name, tuple(recorded)))

    def refuse(self, fd: int, path: str) -> None:
        """Check an open directory, in which `path` would be changed. Errors: ProtectedPlace."""
        self.enter(fd, path)

    def refuse_once(self, fd: int, path: str) -> None:
        """The same for many effects in a row: one check per directory. Errors: ProtectedPlace."""
        st = os.fstat(fd)
        if (st.st_dev, st.st_ino) != self._passed:
            self.refuse(fd, path)
            self._passed = (st.st_dev, st.st_ino)

    def enter(self, fd: int, path: str, *, refuse: bool = True) -> GuardedTree:
        """What is protected below an open directory; `refuse` it where it is so itself."""
        if not self._folders:
            return UNGUARDED_TREE
        locator = self._locator or Locator()
        self._follow_names(locator)
        here = locator.location(fd)
        if refuse and (names := self._places.holding(here)):
            raise _protected_place(path, min(names))
        below = {relative for _, relative in self._places.below(here)}
        inodes = self._places.inodes(here.places[0].device)
        return GuardedTree(self, os.fstat(fd).st_dev, inodes, frozenset(filter(None, below)))

    def _follow_names(self, locator: Locator) -> None:
        if self._locator is not None and self._followed:
            return
        for name in self._folders:
            inode = _inode_of(name)
            if name not in self._followed or inode != self._followed[name]:
                self._places.add(name, locate(name, locator))
                self._followed[name] = inode


def _inode_of(path: str) -> Inode | None:
    try:
        st = os.stat(path)
    except OSError:
        return None
    return st.st_dev, st.st_ino


@dataclass(frozen=True)
class GuardedTree:
    """The directories below one that was checked; for each of them a few comparisons are enough."""

    guard: PlaceGuard
    device: int
    inodes: Set[int]
    below: frozenset[str]
    """Relative paths of what is protected; as another name, an overlay, has other inodes."""

    def holds(self, fd: int, relative: str, path: str) -> bool:
        """Whether an open directory on the way down is protected."""
        try:
            self.refuse(fd, os.fstat(fd), relative, path)
        except ProtectedPlace:
            return True
        return False

    def refuse(self, fd: int, st: os.stat_result, relative: str, path: str) -> None:
        """Check a directory on the way down. Errors: ProtectedPlace."""
        is_other = bool(self.inodes) and st.st_dev != self.device
        if is_other or st.st_ino in self.inodes or relative in self.below:
            self.guard.refuse(fd, path)


def _protected_place(path: str, name: str) -> ProtectedPlace:
    return ProtectedPlace(
        what=f"{path} was not changed: it lies in {name}, which is protected",
        why="users' data is there, reached by another name",
        fix="Declare a path that does not lead there. If it may be overwritten, run"
        " `reconcile state forget --protected-too`.",
    )


UNGUARDED = PlaceGuard()
UNGUARDED_TREE = GuardedTree(UNGUARDED, 0, frozenset(), frozenset())
