"""Declarations of one place by two names: a link or a bind mount leads from one to the other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from posixpath import basename, dirname, join
from typing import TYPE_CHECKING

from reconcile.engine.merge import contradictions
from reconcile.engine.model import Declared, Plan
from reconcile.filesystem.host_error import HostError

if TYPE_CHECKING:
    from reconcile.filesystem.files import Files

KINDS = frozenset({"directory", "file", "tree"})
Place = tuple[int, int, str]
"""Device and inode of a directory that exists, and the names that lead from it to the place."""


def with_place_conflicts(plan: Plan, files: Files) -> Plan:
    """`plan` with a conflict for each place that gets different contents or owners by two names.

    `files` are those that the plan leaves.
    """
    changed = {change.ref for change in plan.changes if change.after and change.ref.kind in KINDS}
    if not changed:
        return plan
    found = tuple(
        conflict
        for one, other in _pairs(plan, files)
        if not changed.isdisjoint({one.resource.ref, other.resource.ref})
        for conflict in contradictions(one, other)
    )
    return replace(plan, conflicts=(*plan.conflicts, *found))


def _pairs(plan: Plan, files: Files) -> Iterator[tuple[Declared, Declared]]:
    """Each two declarations of one kind and place; what cannot be read has none."""
    places = _Places(files)
    found: dict[tuple[str, Place], list[Declared]] = {}
    for ref, item in plan.desired.items():
        place = places.of(ref.kind, ref.name) if ref.kind in KINDS else None
        if place is not None:
            found.setdefault((ref.kind, place), []).append(item)
    for names in found.values():
        yield from combinations(names, 2)


class _Places:
    def __init__(self, files: Files) -> None:
        self._files = files
        self._known: dict[str, Place | None] = {}

    def of(self, kind: str, path: str) -> Place | None:
        """Where `path` lies; a link in the place of a file is no other name of the file."""
        if kind != "file":
            return self._directory(path)
        return _below(self._directory(dirname(path)), basename(path))

    def _directory(self, path: str) -> Place | None:
        if path not in self._known:
            self._known[path] = self._read(path)
        return self._known[path]

    def _read(self, path: str) -> Place | None:
        try:
            found = self._files.stat(path, follow=True)
        except HostError:
            # Its own reading reports it.
            return None
        if found is None:
            return _below(self._directory(dirname(path)), basename(path)) if path != "/" else None
        return (found.dev, found.ino, "") if found.kind == "directory" else None


def _below(place: Place | None, name: str) -> Place | None:
    return None if place is None else (*place[:2], join(place[2], name))
