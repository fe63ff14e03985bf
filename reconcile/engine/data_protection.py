"""Other people's data: what is protected is never overwritten, removed or published.

It is known by its name and by its place, so that no link or mount leads around that.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import field
from functools import cached_property
from posixpath import dirname
from typing import TYPE_CHECKING

from reconcile.dataclass import dataclass
from reconcile.engine.model import Conflict, Desired, Observed
from reconcile.engine.resource import Resource
from reconcile.filesystem.path import upwards
from reconcile.filesystem.place import Location
from reconcile.filesystem.place_index import PlaceIndex

if TYPE_CHECKING:
    from reconcile.filesystem.place_guard import ProtectedFolders
    from reconcile.system import Host

Locations = Mapping[str, tuple[Location, ...]]
"""A directory's name → where it lies, and where it will lie once planned links are made."""


@dataclass(frozen=True)
class Protection:
    """What is protected, by the name and by every place of it that is known."""

    folders: ProtectedFolders
    locations: Locations = field(default_factory=dict)
    leaving: Locations = field(default_factory=dict)
    """The same of what is removed: it leaves before a link takes its place."""

    def holds(self, name: str) -> str:
        """The protected folder that `name` is or lies in; "" for none."""
        return next((path for path in upwards(name) if path in self.folders), "")

    def written_by(self, resource: Resource) -> Iterator[str]:
        """The protected folders in which it may overwrite or remove something."""
        named = {*self._named(resource)}
        yield from sorted(named)
        for root in sorted(self._reached(resource) - named):
            yield f"{root}, of which this is another name"

    def read_by(self, resource: Resource) -> Iterator[str]:
        """The protected folders out of which it would publish something."""
        source = resource.source_directory
        if not source:
            return
        named = self.folders.keys() & {*upwards(source)}
        yield from sorted(named)
        for root in sorted(self._holding(source) - named):
            yield f"{root}, of which {source} is another name"

    def holds_place_of(self, resource: Resource) -> str:
        """The protected folder in which it lies by another name; "" for none."""
        # A file's or a link's own name is no directory, whatever it leads to.
        own = () if resource.writes_contents else (resource.name,)
        names = (written_directory(resource), *own)
        places = (here for name in names for here in self.leaving.get(name, self._at(name)))
        return min((root for here in places for root in self._places.holding(here)), default="")

    @cached_property
    def _places(self) -> PlaceIndex:
        index = PlaceIndex()
        for root, recorded in self.folders.items():
            for location in (*self._at(root), Location(root, tuple(recorded))):
                index.add(root, location)
        return index

    def _named(self, resource: Resource) -> Iterator[str]:
        yield from self.folders.keys() & {*upwards(resource.name)}
        yield from (root for root in self._folders_below(resource.name) if resource.may_write(root))

    def _folders_below(self, name: str) -> list[str]:
        # "0" is the character after "/": all names between the two bounds lie below `name`.
        stem = name.rstrip("/")
        first, end = (bisect_left(self._names, stem + mark) for mark in "/0")
        return self._names[first:end]

    @cached_property
    def _names(self) -> list[str]:
        return sorted(self.folders)

    def _reached(self, resource: Resource) -> Set[str]:
        """The folders that it reaches by place."""
        name = written_directory(resource)
        below = (found for here in self._at(name) for found in self._places.below(here))
        inside = {root for root, relative in below if _writes_below(resource, relative)}
        return self._holding(name) | inside

    def _holding(self, name: str) -> Set[str]:
        return {root for here in self._at(name) for root in self._places.holding(here)}

    def _at(self, name: str) -> tuple[Location, ...]:
        return self.locations.get(name, ())


def _writes_below(resource: Resource, relative: str) -> bool:
    return resource.writes_inside and resource.may_write(f"{resource.name}/{relative}")


def protected_folders(desired: Desired, recorded: ProtectedFolders) -> ProtectedFolders:
    """What is protected: declared so now, or `recorded` so by an earlier apply."""
    declared = {ref.name: () for ref, item in desired.items() if item.resource.protected}
    return {**declared, **recorded}


def find_protection(
    desired: Desired, observed: Observed, recorded: ProtectedFolders, worlds: Sequence[Host]
) -> Protection:
    """What is protected, and where every directory lies that could overlap it, in each world."""
    folders = protected_folders(desired, recorded)
    leaving = [
        one for ref, one in observed.items() if isinstance(one, Resource) and ref not in desired
    ]
    names = _directories_to_locate(desired, leaving, folders)
    found = [(host, host.files.locations(names)) for host in worlds]
    locations = {name: tuple(dict.fromkeys(at[name] for _, at in found)) for name in names}
    left = {name for one in leaving for name in _directories_of(one)} & names
    present = {
        name: tuple(at[name] for host, at in found if not host.files.is_behind_new_link(name))
        for name in left
    }
    return Protection(folders, locations, present)


def violations(desired: Desired, protection: Protection) -> tuple[Conflict, ...]:
    """Declarations that may overwrite, remove or publish what lies in a protected folder."""
    return tuple(
        Conflict(ref, "name", (done, f"protected: {where}"), item.positions)
        for ref, item in sorted(desired.items())
        if may_overwrite(item.resource)
        for done, folders in (
            ("written by this", protection.written_by(item.resource)),
            ("published by this", protection.read_by(item.resource)),
        )
        for where in folders
    )


def may_overwrite(resource: Resource) -> bool:
    """Whether it may overwrite data at all."""
    return resource.writes_contents and not resource.protected


def _directories_to_locate(
    desired: Desired, leaving: Iterable[Resource], protected: Iterable[str]
) -> frozenset[str]:
    """The directories whose location a plan needs; none if nothing is protected."""
    folders = frozenset(protected)
    if not folders:
        return folders
    writing = [item.resource for item in desired.values() if may_overwrite(item.resource)]
    names = {name for one in (*writing, *leaving) for name in _directories_of(one)}
    return folders | frozenset(name for name in names if name.startswith("/"))


def _directories_of(resource: Resource) -> tuple[str, ...]:
    own = "" if resource.writes_contents else resource.name
    return written_directory(resource), resource.source_directory, own


def written_directory(resource: Resource) -> str:
    """The directory that it writes into."""
    return resource.name if resource.writes_inside else dirname(resource.name)
