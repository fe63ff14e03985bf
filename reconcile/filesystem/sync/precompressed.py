"""Compressed siblings, which Nginx serves in place of the file that was asked for."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping

from reconcile.filesystem.compress import SUFFIXES, compressed, is_worth
from reconcile.filesystem.read import chunks, digest_of
from reconcile.filesystem.sync.compare_file import FileComparison
from reconcile.filesystem.sync.manifest import NOT_OURS
from reconcile.filesystem.sync.source import Original
from reconcile.types import Encoding


class PrecompressedComparison:
    """What `judge` finds of them."""

    def __init__(self, judge: FileComparison) -> None:
        self._files = judge
        self._request, self._manifest = judge.request, judge.manifest
        self.requested: set[str] = set()
        """Their names in the directory that is looked at."""

    def compare(
        self,
        path: str,
        original: Original,
        there: Mapping[str, os.stat_result],
        own: Collection[str],
        *,
        changes: bool,
    ) -> None:
        """Compressed ones, which nginx serves in place of the file that was asked for."""
        file = path.rpartition("/")[2]
        worth = is_worth(file, original.st.st_size)
        for encoding, suffix in SUFFIXES.items():
            name, sibling = file + suffix, there.get(file + suffix)
            if name in own or path + suffix in self._request.excluded:
                continue
            if worth and encoding in self._request.precompress:
                self.requested.add(name)
                self._compare_requested(path, encoding, original, sibling, changes=changes)
            elif sibling is not None and stat.S_ISREG(sibling.st_mode):
                if self.is_generated(path + suffix, sibling):
                    self._files.found.stale[path + suffix] = "unasked"
                elif changes or sibling.st_mtime_ns < there[file].st_mtime_ns:
                    self._files.found.stale[path + suffix] = "outdated"

    def _compare_requested(
        self,
        file: str,
        encoding: Encoding,
        original: Original,
        there: os.stat_result | None,
        *,
        changes: bool,
    ) -> None:
        """One that is asked for; made anew together with its file, so that it is never older."""
        path, signature = file + SUFFIXES[encoding], original.signature
        if not changes and there is None and self._manifest.is_incompressible(path, signature):
            self._files.found.unchanged += [path] if self._files.remember else []
            return
        if not self._files.is_file(path, there) or there is None or changes:
            self._files.record_difference(path, original, there, encoding)
        elif self._is_current(path, encoding, original, there):
            self._files.record_match(path, signature, there, is_made=True)
        else:
            self._files.record_difference(path, original, there, encoding)

    def _is_current(
        self, path: str, encoding: Encoding, original: Original, there: os.stat_result
    ) -> bool:
        """Whether it is what would be made of the original now."""
        if self._manifest.matches_record(path, original.st, there):
            return True
        if self._manifest.is_source_unchanged(path, original.signature) and self.is_generated(
            path, there
        ):
            return True
        with self._files.source.open_file(original.source_path) as fd:
            data = b"".join(chunks(fd))
        made = compressed(encoding, data)
        return len(made) < len(data) and self._files.has_content(path, made)

    def is_generated(self, path: str, there: os.stat_result) -> bool:
        """Whether we made it, and nobody has changed it since."""
        digest = self._manifest.generated_digest(path)
        if digest == NOT_OURS or not stat.S_ISREG(there.st_mode):
            return False
        with self._files.open_copy(path) as fd:
            return digest_of(fd) == f"sha256:{digest.hex()}"
