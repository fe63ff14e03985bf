"""The files and folders that a plan changes, by where they lie."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property
from posixpath import dirname

from reconcile.filesystem.access_walk import AccessWalk
from reconcile.filesystem.path import ancestors, upwards
from reconcile.filesystem.place import Locator, OverlapIndex, locate


class ChangedPaths:
    """Paths that change, and whether a folder is, holds, or lies in one of them, by any name."""

    def __init__(self, paths: Collection[str]) -> None:
        self._paths = frozenset(paths)
        self._above = frozenset(above for path in paths for above in ancestors(path))
        self._touched: dict[str, bool] = {}

    def touch(self, folder: str) -> bool:
        """Whether what is in `folder`, an absolute path, may change."""
        if folder not in self._touched:
            self._touched[folder] = self._touch(folder)
        return self._touched[folder]

    def touch_way(self, walk: AccessWalk) -> bool:
        """Whether any folder or link on the way to a path may change, or the path itself."""
        on_the_way = (step.path for step in walk.steps)
        return not self._paths.isdisjoint(on_the_way) or self.touch(_end_of(walk))

    def _touch(self, folder: str) -> bool:
        if folder in self._above or any(path in self._paths for path in upwards(folder)):
            return True
        return bool(self._index.overlapping(locate(folder, self._locator)))

    @cached_property
    def _locator(self) -> Locator:
        return Locator()

    @cached_property
    def _index(self) -> OverlapIndex:
        return OverlapIndex({path: locate(path, self._locator) for path in self._paths})


def _end_of(walk: AccessWalk) -> str:
    """The folder that a path is in, or of a missing one the last that exists."""
    last = walk.steps[-1]
    return last.path if last.stat.kind == "directory" else dirname(last.path)
