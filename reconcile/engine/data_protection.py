"""Other people's data: what is protected is never overwritten or removed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from posixpath import dirname
from types import MappingProxyType
from typing import TYPE_CHECKING

from reconcile.engine.model import Conflict, Desired
from reconcile.engine.resource import Ref, Resource
from reconcile.filesystem.path import is_inside

if TYPE_CHECKING:
    from reconcile.filesystem.inode import Inode, RealLocation

RealLocations = Mapping[str, "RealLocation"]
"""A directory's name → where it really lies."""

UNKNOWN: RealLocations = MappingProxyType({})


def protected_names(desired: Desired, recorded: Iterable[Ref]) -> frozenset[str]:
    """The names that are protected: declared so now, or `recorded` so by the ledger."""
    declared = {ref.name for ref, item in desired.items() if item.resource.protected}
    return frozenset(declared | {ref.name for ref in recorded})


def is_protected(name: str, protected: frozenset[str]) -> bool:
    """Whether `name` is protected, or a path below one that is."""
    return any(is_inside(name, root) for root in protected)


def violations(
    desired: Desired, protected: frozenset[str], locations: RealLocations = UNKNOWN
) -> tuple[Conflict, ...]:
    """Declarations that may overwrite or remove what lies below a protected path.

    Compared by name and, where `locations` are known, by the inodes behind the names.
    """
    inodes = _ProtectedInodes(protected, locations)
    return tuple(
        Conflict(ref, "name", ("written by this", f"protected: {where}"), item.positions)
        for ref, item in sorted(desired.items())
        if may_overwrite(item.resource)
        for where in (*_by_name(item.resource, protected), *inodes.overlaps(item.resource))
    )


def may_overwrite(resource: Resource) -> bool:
    """Whether it may overwrite data at all."""
    return resource.writes_contents and not resource.protected


def directories_to_resolve(desired: Desired, protected: frozenset[str]) -> frozenset[str]:
    """The directories whose real location `violations` needs; none if nothing is protected."""
    writing = (item.resource for item in desired.values() if may_overwrite(item.resource))
    folders = {written_directory(one) for one in writing if one.name.startswith("/")}
    return frozenset(folders | protected) if protected else frozenset()


def written_directory(resource: Resource) -> str:
    """The directory that it writes into."""
    return resource.name if resource.writes_inside else dirname(resource.name)


def _by_name(resource: Resource, protected: frozenset[str]) -> Iterator[str]:
    name = resource.name
    for root in sorted(protected):
        if is_inside(name, root) or (is_inside(root, name) and resource.may_write(root)):
            yield root


class _ProtectedInodes:
    """The protected directories that exist, and all that they lie in, by inode."""

    def __init__(self, protected: frozenset[str], locations: RealLocations) -> None:
        self._protected, self._locations = protected, locations
        self._roots: dict[tuple[int, int], str] = {}
        self._below: dict[tuple[int, int], list[tuple[str, str]]] = {}
        for root in sorted(protected):
            self._add(root, locations.get(root, ()))

    def _add(self, root: str, location: RealLocation) -> None:
        if not location or not location[0].inode:
            return
        self._roots.setdefault(location[0][:2], root)
        for above in location[1:]:
            below = location[0].path.removeprefix(above.path).lstrip("/")
            self._below.setdefault(above[:2], []).append((root, below))

    def overlaps(self, resource: Resource) -> Iterator[str]:
        """The protected paths that it reaches by another name than theirs."""
        location = self._locations.get(written_directory(resource), ())
        found = {self._roots[inode[:2]] for inode in location if inode[:2] in self._roots}
        if resource.writes_inside and location:
            found |= set(self._written_below(resource, location[0]))
        for root in sorted(found.difference(_by_name(resource, self._protected))):
            yield f"{root}, of which this is another name"

    def _written_below(self, resource: Resource, inode: Inode) -> Iterator[str]:
        for root, below in self._below.get(inode[:2], ()):
            if resource.may_write(f"{resource.name}/{below}"):
                yield root
