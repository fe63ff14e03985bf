"""Looks a directory's place up among many, without comparing each pair."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from reconcile.filesystem.path import relative_to, upwards
from reconcile.filesystem.place import Location, Place

PathOnDevice = tuple[str, str]
Inode = tuple[str, int]


class _IndexedFolder(NamedTuple):
    name: str
    path: str
    place: Place


class PlaceIndex:
    """Folders by their places: which of them hold a directory, and which lie below it.

    What is absent holds nothing. A name may be added with several locations.
    """

    def __init__(self) -> None:
        self._by_inode: defaultdict[Inode, list[_IndexedFolder]] = defaultdict(list)
        self._by_path: defaultdict[PathOnDevice, list[_IndexedFolder]] = defaultdict(list)
        self._below_path: defaultdict[PathOnDevice, list[_IndexedFolder]] = defaultdict(list)
        self._below_inode: defaultdict[Inode, list[_IndexedFolder]] = defaultdict(list)
        self._inodes: defaultdict[str, set[int]] = defaultdict(set)

    def add(self, name: str, location: Location) -> None:
        """Add a folder at one of its locations."""
        present = [place for place in location.places if place.inode]
        for place in present:
            folder = _IndexedFolder(name, location.path, place)
            self._by_inode[place.device, place.inode].append(folder)
            self._inodes[place.device].add(place.inode)
            for path in upwards(place.path) if place.path else ():
                self._below_path[place.device, path].append(folder)
            if place.path:
                self._by_path[place.device, place.path].append(folder)
        for above in location.above if present else ():
            folder = _IndexedFolder(name, location.path, above)
            self._below_inode[above.device, above.inode].append(folder)

    def holding(self, location: Location) -> frozenset[str]:
        """The folders that are this directory or lie above it, by any of its ways up."""
        up = (*location.places, *location.above)
        by_inode = (_same_inode(self._by_inode, place) for place in up)
        paths = {(place.device, path) for place in up for path in upwards(place.path or "/")}
        by_path = (self._by_path.get(path, ()) for path in paths)
        return frozenset(one.name for found in (*by_inode, *by_path) for one in found)

    def below(self, location: Location) -> Iterator[tuple[str, str]]:
        """Each folder that is this directory or lies below it, with its relative path."""
        for here in location.places:
            for one in self._below_path.get((here.device, here.path), ()) if here.path else ():
                yield one.name, relative_to(one.place.path, here.path) or ""
            for one in _same_inode(self._below_inode, here):
                yield one.name, relative_to(one.path, location.path) or ""

    def inodes(self, device: str) -> set[int]:
        """The inodes of all folders on a filesystem; not to be changed."""
        return self._inodes.get(device, set())


def _same_inode(
    index: defaultdict[Inode, list[_IndexedFolder]], place: Place
) -> Iterator[_IndexedFolder]:
    found = index.get((place.device, place.inode), ()) if place.inode else ()
    return (one for one in found if one.place.is_same_inode(place))
