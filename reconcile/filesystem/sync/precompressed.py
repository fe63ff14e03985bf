"""Compare compressed siblings, which nginx serves in place of the requested file."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping

from reconcile.filesystem.compress import SUFFIXES, compressed, is_worth
from reconcile.filesystem.read import chunks, sha256_of
from reconcile.filesystem.sync.compare_file import FileComparison
from reconcile.filesystem.sync.manifest_row import NOT_WRITTEN
from reconcile.filesystem.sync.source import Original
from reconcile.filesystem.sync.sync_diff import Stale
from reconcile.types import Encoding


class PrecompressedComparison:
    """Adds what differs to what `files` found."""

    def __init__(self, files: FileComparison) -> None:
        self._files = files
        self._request, self._manifest = files.request, files.manifest
        self.requested: set[str] = set()
        """The names of requested siblings in the directory that is being compared."""

    def compare(
        self,
        path: str,
        original: Original,
        copies: Mapping[str, os.stat_result],
        source_names: Collection[str],
        *,
        is_changed: bool,
    ) -> None:
        """Compare the siblings of the file `path`, which itself `is_changed` or not."""
        file = path.rpartition("/")[2]
        worth = is_worth(file, original.st.st_size)
        for encoding, suffix in SUFFIXES.items():
            name, sibling = file + suffix, copies.get(file + suffix)
            if name in source_names or path + suffix in self._request.excluded:
                continue
            if worth and encoding in self._request.precompress:
                self.requested.add(name)
                self._compare_requested(path, encoding, original, sibling, is_changed=is_changed)
            elif sibling is not None and stat.S_ISREG(sibling.st_mode):
                if self.is_generated(path + suffix, sibling):
                    self._add_stale(path + suffix, "obsolete", sibling)
                elif is_changed or sibling.st_mtime_ns < copies[file].st_mtime_ns:
                    self._add_stale(path + suffix, "outdated", sibling)

    def _add_stale(self, path: str, reason: Stale, copy: os.stat_result) -> None:
        self._files.found.stale[path] = reason
        self._files.record_replaced(path, copy)

    def _compare_requested(
        self,
        file: str,
        encoding: Encoding,
        original: Original,
        copy: os.stat_result | None,
        *,
        is_changed: bool,
    ) -> None:
        """Compare a requested one; rewritten together with its file, so that it is never older."""
        path, signature = file + SUFFIXES[encoding], original.signature
        if not is_changed and copy is None and self._manifest.is_incompressible(path, signature):
            self._files.found.rows[path] = self._manifest.row(path) or b""
            return
        is_comparable = self._files.is_file(copy, path) and not is_changed
        if is_comparable and copy and self._is_current(path, encoding, original, copy):
            self._files.record_match(path, signature, copy, is_generated=True)
        else:
            self._files.record_difference(path, original, copy, encoding)

    def _is_current(
        self, path: str, encoding: Encoding, original: Original, copy: os.stat_result
    ) -> bool:
        """Whether it is what would be generated from the original now."""
        if self._manifest.matches_record(path, original.st, copy):
            return True
        is_same = self._manifest.is_source_unchanged(path, original.signature)
        if is_same and self.is_generated(path, copy):
            return True
        with self._files.source.open_file(original.source_path) as fd:
            data = b"".join(chunks(fd))
        generated = compressed(encoding, data)
        return len(generated) < len(data) and self._files.has_content(path, generated)

    def is_generated(self, path: str, copy: os.stat_result) -> bool:
        """Whether reconcile generated it, and nobody has changed it since."""
        digest = self._manifest.generated_digest(path)
        if digest == NOT_WRITTEN or not stat.S_ISREG(copy.st_mode):
            return False
        with self._files.open_copy(path) as fd:
            return sha256_of(fd) == digest
