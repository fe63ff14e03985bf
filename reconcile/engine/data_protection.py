"""Other people's data: what is protected stays, whatever a file or a ledger says."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from posixpath import dirname
from types import MappingProxyType
from typing import TYPE_CHECKING

from reconcile.engine.model import Conflict, Desired
from reconcile.engine.resource import Ref, Resource

if TYPE_CHECKING:
    from reconcile.filesystem.inode import Inode, RealLocation

Lineages = Mapping[str, "RealLocation"]
"""A directory's name → where it really lies."""

UNKNOWN: Lineages = MappingProxyType({})


def protected_names(desired: Desired, kept: Iterable[Ref]) -> frozenset[str]:
    """The names that are protected: declared so now, or `kept` so by the ledger."""
    declared = {ref.name for ref, item in desired.items() if item.resource.protected}
    return frozenset(declared | {ref.name for ref in kept})


def is_protected(name: str, protected: frozenset[str]) -> bool:
    """Whether `name` is protected, or a path below one that is."""
    return any(_at_or_below(name, root) for root in protected)


def violations(
    desired: Desired, protected: frozenset[str], lineages: Lineages = UNKNOWN
) -> tuple[Conflict, ...]:
    """Declarations that may write over or remove what lies below a protected path.

    By name, and where `lineages` are known by another name of the same place.
    """
    kin = _ProtectedInodes(protected, lineages)
    return tuple(
        Conflict(ref, "name", ("written by this", f"protected: {told}"), item.positions)
        for ref, item in sorted(desired.items())
        if writes(item.resource)
        for told in (*_by_name(item.resource, protected), *kin.met_by(item.resource))
    )


def writes(resource: Resource) -> bool:
    """Whether it may write over somebody's data at all."""
    return resource.writes_contents and not resource.protected


def directories_to_resolve(desired: Desired, protected: frozenset[str]) -> frozenset[str]:
    """The directories whose lineage decides; none where nothing is protected."""
    writing = (item.resource for item in desired.values() if writes(item.resource))
    folders = {written_folder(one) for one in writing if one.name.startswith("/")}
    return frozenset(folders | protected) if protected else frozenset()


def written_folder(resource: Resource) -> str:
    """The directory that it writes into."""
    return resource.name if resource.writes_inside else dirname(resource.name)


def _by_name(resource: Resource, protected: frozenset[str]) -> Iterator[str]:
    name = resource.name
    for root in sorted(protected):
        if _at_or_below(name, root) or (_at_or_below(root, name) and resource.may_write(root)):
            yield root


class _ProtectedInodes:
    """The protected directories that are there, and all that they lie in, by inode."""

    def __init__(self, protected: frozenset[str], lineages: Lineages) -> None:
        self._protected, self._lineages = protected, lineages
        self._roots: dict[tuple[int, int], str] = {}
        self._below: dict[tuple[int, int], list[tuple[str, str]]] = {}
        for root in sorted(protected):
            self._add(root, lineages.get(root, ()))

    def _add(self, root: str, lineage: RealLocation) -> None:
        if not lineage or not lineage[0].inode:
            return
        self._roots.setdefault(lineage[0][:2], root)
        for above in lineage[1:]:
            below = lineage[0].path.removeprefix(above.path).lstrip("/")
            self._below.setdefault(above[:2], []).append((root, below))

    def met_by(self, resource: Resource) -> Iterator[str]:
        """The protected paths that it reaches by another name than theirs."""
        lineage = self._lineages.get(written_folder(resource), ())
        found = {self._roots[place[:2]] for place in lineage if place[:2] in self._roots}
        if resource.writes_inside and lineage:
            found |= set(self._held_by(resource, lineage[0]))
        for root in sorted(found.difference(_by_name(resource, self._protected))):
            yield f"{root}, of which this is another name"

    def _held_by(self, resource: Resource, place: Inode) -> Iterator[str]:
        for root, below in self._below.get(place[:2], ()):
            if resource.may_write(f"{resource.name}/{below}"):
                yield root


def _at_or_below(name: str, root: str) -> bool:
    return name == root or name.startswith(root.rstrip("/") + "/")
