"""What nginx's worker will find at each path after a plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from posixpath import join
from typing import TYPE_CHECKING

from reconcile.filesystem.access_check import can_enter
from reconcile.filesystem.path import ancestors
from reconcile.nginx.routing.request import FileKind
from reconcile.resources.assets import Assets
from reconcile.resources.common import owner_ids
from reconcile.resources.directory import Directory
from reconcile.resources.file import File
from reconcile.resources.symlink import Symlink
from reconcile.resources.tree import Tree

if TYPE_CHECKING:
    from reconcile.engine.model import Change
    from reconcile.system import Host
    from reconcile.system.accounts import Account

Samples = Mapping[str, Sequence[str]]
"""A directory → names of files in it, relative."""


def planned_path_kinds(
    changes: Sequence[Change], samples: Samples, host: Host, worker: Account
) -> dict[str, FileKind]:
    """Map paths to their kinds after the plan; of assets and trees only the sampled files."""
    kinds = _PlannedKinds(samples, host, worker)
    return {path: kind for change in changes for path, kind in kinds.after(change)}


class _PlannedKinds:
    def __init__(self, samples: Samples, host: Host, worker: Account) -> None:
        self._samples = samples
        self._host = host
        self._worker = worker

    def after(self, change: Change) -> Iterator[tuple[str, FileKind]]:
        """Yield the paths that `change` affects, with their kinds after it."""
        after = change.after
        if after is None and change.ref.kind in ("file", "symlink", "directory"):
            yield change.ref.name, "missing"
        elif isinstance(after, Directory):
            yield after.path, self._directory(after)
        elif isinstance(after, File):
            yield after.path, "file" if self._may(after, after.mode, 2) else "unreadable"
        elif isinstance(after, Symlink):
            # Its target would be resolved on today's disk, so its kind is unknown.
            yield after.path, "unknown"
        elif isinstance(after, Assets | Tree):
            yield from self._contents(after)

    def _directory(self, after: Directory) -> FileKind:
        if self._worker.name in (after.enterable_by or ()):
            return "directory"
        return "directory" if self._may(after, after.mode, 0) else "denied"

    def _contents(self, after: Assets | Tree) -> Iterator[tuple[str, FileKind]]:
        names = [*self._samples.get(after.path, ()), *(getattr(after, "extra", ()))]
        folder: FileKind = "directory" if self._may(after, after.dirs, 0) else "denied"
        file: FileKind = "file" if self._may(after, after.files, 2) else "unreadable"
        for name in names:
            for above in ancestors(f"/{name}"):
                if above != "/":
                    yield after.path + above, folder
            yield join(after.path, name), file

    def _may(self, after: Directory | File | Assets | Tree, mode: int | None, shift: int) -> bool:
        """Whether the worker may enter (shift 0) or read (shift 2)."""
        if mode is None:
            return True
        uid, gid = owner_ids(self._host, after.user, after.group)
        return can_enter(self._worker, uid, gid, mode >> shift)
