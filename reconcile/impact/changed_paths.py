"""The files and folders that a plan changes, by where they lie."""

from __future__ import annotations

from collections.abc import Collection
from functools import cached_property

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
