"""Where a directory lies, whatever it is called.

A name can be moved, or lead elsewhere tomorrow; a second name can lead to the same
directory by a symlink, a bind mount or an overlay. A place is the filesystem, the path
inside of it, and the inode.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from posixpath import join
from typing import Any, NamedTuple, Self

from reconcile.dataclass import dataclass
from reconcile.filesystem.attributes import fd_path
from reconcile.filesystem.mount import Mount, mount_id, read_mounts
from reconcile.filesystem.path import relative_to
from reconcile.filesystem.safe_path import closing
from reconcile.filesystem.statx import born_ns

PIN_FOLLOWED = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
MOST_LAYERS = 500
"""Layers of an overlay, which the kernel limits to this number."""


class Place(NamedTuple):
    """A directory by its filesystem, its path inside of that, and its inode.

    `inode` is 0 where nothing is there yet. `born_ns` tells an inode from a later one with
    the same number; 0 where the filesystem does not record it.
    """

    device: str
    path: str
    inode: int
    born_ns: int

    @classmethod
    def parse(cls, value: Sequence[Any]) -> Self:
        """The place that was written as a list. Errors: ValueError."""
        device, path, inode, born_ns = value
        return cls(str(device), str(path), int(inode), int(born_ns))

    def is_same_inode(self, other: Place) -> bool:
        """Whether both are the same directory, wherever it has been moved to since."""
        if not self.inode or (self.device, self.inode) != (other.device, other.inode):
            return False
        return not self.born_ns or not other.born_ns or self.born_ns == other.born_ns


@dataclass(frozen=True)
class Location:
    """A directory and what it lies in.

    `places` has several only on an overlay: its own and one in each layer below. `above`
    are all directories above it, by each of its ways up.
    """

    path: str
    """Without symlinks."""
    places: tuple[Place, ...] = ()
    above: tuple[Place, ...] = ()


def is_one_in_the_other(one: Location, other: Location) -> bool:
    """Whether both are the same directory, or one lies in the other, by any name."""
    return lies_in(one, other) or lies_in(other, one)


class OverlapIndex:
    """Directories by what they are and lie in: those that overlap another, without comparing all.

    What overlaps is what `is_one_in_the_other` says.
    """

    def __init__(self, locations: Mapping[str, Location]) -> None:
        self._own: dict[tuple[str, str | int], set[str]] = {}
        self._inside: dict[tuple[str, str | int], set[str]] = {}
        for name, location in locations.items():
            for place in location.places:
                self._own.setdefault(_identity(place), set()).add(name)
            for place in (*location.places, *location.above):
                self._inside.setdefault(_identity(place), set()).add(name)

    def overlapping(self, one: Location) -> set[str]:
        """The names of those that are `one`, lie in it, or hold it."""
        holding = (self._own.get(_identity(place), ()) for place in (*one.places, *one.above))
        below = (self._inside.get(_identity(place), ()) for place in one.places)
        return {name for found in (*holding, *below) for name in found}


def lies_in(inner: Location, outer: Location) -> bool:
    """Whether `inner` is `outer`, or lies in it, by any name."""
    folders = {_identity(place) for place in outer.places}
    return any(_identity(place) in folders for place in (*inner.places, *inner.above))


def _identity(place: Place) -> tuple[str, str | int]:
    return place.device, place.inode or place.path


def locate(path: str, locator: Locator | None = None) -> Location:
    """The directory that `path` leads to; where it is absent, where it would be.

    To compare places, never to act on them: any of it may change at any time.
    """
    locator = locator or Locator()
    with suppress(OSError), closing(os.open(path, PIN_FOLLOWED)) as fd:
        return locator.location(fd)
    existing = real = os.path.realpath(path)
    missing = ""
    while True:
        try:
            with closing(os.open(existing, PIN_FOLLOWED)) as fd:
                found = locator.location(fd)
            break
        except OSError:
            if existing == "/":
                raise
            existing, _, name = existing.rpartition("/")
            existing, missing = existing or "/", join(name, missing) if missing else name
    return found if not missing else _absent(found, real, missing)


def _absent(parent: Location, path: str, missing: str) -> Location:
    places = (Place(one.device, join(one.path, missing), 0, 0) for one in parent.places)
    return Location(path, tuple(places), (*parent.places, *parent.above))


class Locator:
    """Finds the locations of open directories, by one reading of the table of mounts."""

    def __init__(self) -> None:
        self._mounts = {mount.id: mount for mount in read_mounts()}
        self._devices: dict[tuple[int, int], str] = {}
        self._parents_of: dict[str, tuple[Place, ...]] = {}

    def location(self, fd: int, overlays: frozenset[int] = frozenset()) -> Location:
        """Where an open directory lies; `overlays`: mounts whose layers it was found in.

        Errors: OSError.
        """
        path, mount = os.readlink(fd_path(fd)), self._mounts.get(mount_id(fd))
        own = self._place(fd, path, mount)
        above = [*self._parents(fd), *self._above_mount(own, mount)]
        layers = list(self._layers(own.path, mount, overlays))
        places = (own, *(place for layer in layers for place in layer.places))
        return Location(path, places, (*above, *(place for one in layers for place in one.above)))

    def _layers(
        self, inside: str, mount: Mount | None, overlays: frozenset[int]
    ) -> Iterator[Location]:
        """The locations of the layers that are in reach: an overlay may cover its own."""
        covered = overlays | ({mount.id} if mount is not None else set())
        for layer in _open_layers(inside, mount):
            if mount_id(layer) not in covered:
                yield self.location(layer, covered)

    def _place(self, fd: int, path: str, mount: Mount | None) -> Place:
        st = os.fstat(fd)
        if mount is None:
            # A directory of another namespace, which no name of ours leads to.
            return Place(f"{st.st_dev}", "", st.st_ino, born_ns(fd))
        if (mount.id, st.st_dev) not in self._devices:
            self._devices[mount.id, st.st_dev] = _device(fd, mount, st)
        inside = join(mount.root, relative_to(path, mount.point) or "").rstrip("/") or "/"
        return Place(self._devices[mount.id, st.st_dev], inside, st.st_ino, born_ns(fd))

    def _parents(self, fd: int) -> tuple[Place, ...]:
        """Every directory above, nearest first, as `..` leads there."""
        with closing(os.open("..", PIN_FOLLOWED, dir_fd=fd)) as above:
            if os.path.sameopenfile(fd, above):
                return ()
            path = os.readlink(fd_path(above))
            if path not in self._parents_of:
                place = self._place(above, path, self._mounts.get(mount_id(above)))
                self._parents_of[path] = (place, *self._parents(above))
            return self._parents_of[path]

    def _above_mount(self, own: Place, mount: Mount | None) -> Iterator[Place]:
        """What lies above the root of a bind mount, as far as another mount shows it."""
        inside = mount.root if mount is not None else "/"
        while inside != "/":
            inside = inside.rpartition("/")[0] or "/"
            for other in self._mounts.values():
                below = relative_to(inside, other.root)
                if below is None and inside != other.root:
                    continue
                place = self._place_at(join(other.point, below or ""))
                if place is not None and (place.device, place.path) == (own.device, inside):
                    yield place
                    break

    def _place_at(self, path: str) -> Place | None:
        try:
            with closing(os.open(path, PIN_FOLLOWED)) as fd:
                return self._place(fd, os.readlink(fd_path(fd)), self._mounts.get(mount_id(fd)))
        except OSError:
            return None  # Something else is mounted over it.


def _device(fd: int, mount: Mount, st: os.stat_result) -> str:
    """The filesystem by its own id, which stays when the kernel numbers devices otherwise."""
    own_id = os.fstatvfs(fd).f_fsid
    return f"{mount.filesystem}:{own_id:x}" if own_id else f"{mount.filesystem}:{st.st_dev}"


def _open_layers(inside: str, mount: Mount | None) -> Iterator[int]:
    """The directories in which an overlay really keeps the one at the path `inside`."""
    if mount is None or mount.filesystem != "overlay":
        return
    for layer in _layers(mount.super_options):
        try:
            fd = os.open(join(layer, inside.lstrip("/")), PIN_FOLLOWED)
        except OSError:
            continue  # It is not in this layer, or the layer is out of reach from here.
        with closing(fd):
            yield fd


def _layers(options: Iterable[str]) -> list[str]:
    """Source: the kernel's overlayfs.rst; a colon in a name is written with a backslash."""
    found: list[str] = []
    for option in options:
        name, _, value = option.partition("=")
        if name == "upperdir":
            found.append(value)
        elif name in ("lowerdir", "lowerdir+", "datadir+"):
            found += [one for one in value.split(":") if one.startswith("/")]
    return found[:MOST_LAYERS]
