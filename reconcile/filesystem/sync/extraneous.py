"""What is in a copy and not in its source: kept for a while, removed, or left."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from posixpath import join

from reconcile.filesystem.compress import COMPRESSED
from reconcile.filesystem.sync.compare_file import FileComparison
from reconcile.filesystem.sync.hashed_name import holds_hash
from reconcile.filesystem.sync.manifest_row import COPY, Signature
from reconcile.filesystem.sync.precompressed import PrecompressedComparison
from reconcile.filesystem.sync.sync_diff import SyncDiff
from reconcile.filesystem.walk import DEEPEST


class ExtraneousComparison:
    """Adds to what `files` found what to do with each name that the source does not have."""

    def __init__(self, files: FileComparison, precompressed: PrecompressedComparison) -> None:
        self._files, self._precompressed = files, precompressed
        self._request, self._manifest = files.request, files.manifest
        self._dropped = self._manifest.dropped if self._request.keep_s is not None else {}

    @property
    def _found(self) -> SyncDiff:
        return self._files.found

    def compare(self, folder: str, copies: Mapping[str, os.stat_result]) -> list[str]:
        """Compare the names `copies` of `folder`; return the directories to go on with."""
        return [
            path
            for name, copy in sorted(copies.items())
            if self._compare_name(path := join(folder, name), copy)
        ]

    def _compare_name(self, path: str, copy: os.stat_result) -> bool:
        """Whether it is a directory to go on with."""
        if path in self._request.excluded:
            self._found.block_removal(path)
        elif self._is_retained(path, copy):
            self._retain(path, copy)
        elif path.endswith(COMPRESSED) and self._precompressed.is_generated(path, copy):
            self._found.stale[path] = "obsolete"
            self._files.record_replaced(path, copy)
        elif path not in self._found.stale:
            return self._add_extraneous(path, copy)
        return False

    def _is_retained(self, path: str, copy: os.stat_result) -> bool:
        """Whether the source dropped it less than `keep_s` ago, and it is as it was copied."""
        keep_s, name = self._request.keep_s, path.rpartition("/")[2]
        if keep_s is None or not stat.S_ISREG(copy.st_mode) or not holds_hash(name):
            return False
        row = self._manifest.row(path)
        if row is None:
            # Without any record nothing shows that the source never had it.
            return not self._manifest.exists
        is_as_copied = Signature.unpack(row[COPY]).content == Signature.of(copy).content
        is_due = self._request.now_s - self._dropped_at(path) >= keep_s
        if is_as_copied and is_due:
            self._found.due.add(path)
        return is_as_copied and not is_due

    def _dropped_at(self, path: str) -> float:
        return self._dropped.get(path, self._request.now_s)

    def _retain(self, path: str, copy: os.stat_result) -> None:
        self._found.retained[path] = self._dropped_at(path)
        row = self._manifest.row(path)
        if row is not None:
            self._found.rows[path] = row
        self._found.block_removal(path)
        self._files.compare_owner(path, copy)

    def _add_extraneous(self, path: str, copy: os.stat_result) -> bool:
        """What the source does not have: removed with `prune`, else only its owner is compared."""
        is_directory = stat.S_ISDIR(copy.st_mode)
        if is_directory and is_too_deep(path):
            self._found.too_deep.add(path)
            self._found.block_removal(path)
            return False
        if self._request.prune:
            self._add_removal(path, copy)
            return is_directory
        if not is_directory:
            self._found.kept.add(path)
        self._files.compare_owner(path, copy)
        return is_directory

    def _add_removal(self, path: str, copy: os.stat_result) -> None:
        if stat.S_ISDIR(copy.st_mode):
            self._found.extraneous_folders.append(path)
            return
        self._found.extraneous.append(path)
        self._files.record_replaced(path, copy)


def is_too_deep(path: str) -> bool:
    """Whether a directory is further down than is compared."""
    return path.count("/") >= DEEPEST
