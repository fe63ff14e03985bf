"""The disk as the nginx worker sees it, for foretelling its answers."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from reconcile.errors import ReconcileError
from reconcile.nginx.request import FileKind, Files

if TYPE_CHECKING:
    from reconcile.host import Host
    from reconcile.host.accounts import Account


class WorkersDisk:
    """Kinds of paths as open(2) of the worker would find them; see `nginx.request.Files`."""

    def __init__(self, host: Host, worker: Account) -> None:
        self._host = host
        self._worker = worker
        self._known: dict[str, FileKind] = {}

    def kind(self, path: str) -> FileKind:
        if path not in self._known:
            self._known[path] = self._look(path.rstrip("/") or "/")
        return self._known[path]

    def _look(self, path: str) -> FileKind:
        try:
            walk = self._host.files.access(path, self._worker)
        except ReconcileError:
            return "unknown"
        if walk.blocked is not None:
            return "denied"
        if walk.last is None:
            return "missing"
        kind = walk.last.stat.kind
        if kind == "directory":
            return "directory"
        if kind != "file":
            return "special"
        return "file" if walk.last.readable else "denied"


class Assumed:
    """The same disk, with some files that need not be there."""

    def __init__(self, files: Files, there: Collection[str]) -> None:
        self._files = files
        self._there = there

    def kind(self, path: str) -> FileKind:
        return "file" if path in self._there else self._files.kind(path)
