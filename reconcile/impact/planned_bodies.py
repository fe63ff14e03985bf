"""The content of served files, now and after a plan, as digests."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from posixpath import join
from typing import TYPE_CHECKING

from reconcile.engine.digest import digest
from reconcile.errors import ReconcileError
from reconcile.filesystem.path import ancestors, relative_to
from reconcile.resources.assets import Assets
from reconcile.resources.file import File

if TYPE_CHECKING:
    from reconcile.engine.model import Change
    from reconcile.system import Host


class PlannedBodies:
    """Digests of files; "" for one that is absent, unreadable or too large to compare."""

    def __init__(self, changes: Sequence[Change], host: Host) -> None:
        self._changes = changes
        self._host = host

    def now(self, path: str) -> str:
        """The content on the disk."""
        try:
            found = self._host.files.content(path)
        except (ReconcileError, OSError):
            return ""
        return digest(found[1]) if found else ""

    def after(self, path: str) -> str:
        """The content once the plan is applied."""
        if path in self._planned_contents:
            return digest(self._planned_contents[path])
        for folder in ancestors(path):
            if source := self._asset_sources.get(folder):
                copied = join(source, relative_to(path, folder) or "")
                return self.now(copied) or self.now(path)
        return self.now(path)

    @cached_property
    def _asset_sources(self) -> dict[str, str]:
        """Folder of assets → what it is copied from."""
        planned = [change.after for change in self._changes]
        copied = [one for one in planned if isinstance(one, Assets)]
        return {one.path: one.source for one in copied if one.source}

    @cached_property
    def _planned_contents(self) -> dict[str, bytes]:
        planned = [change.after for change in self._changes]
        files = [one for one in planned if isinstance(one, File)]
        return {one.path: one.content for one in files if one.content is not None}
