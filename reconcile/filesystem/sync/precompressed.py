"""Compressed siblings, which Nginx serves in place of the file that was asked for."""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Mapping

from reconcile.filesystem.compress import SUFFIXES, compressed, is_worth
from reconcile.filesystem.read import chunks, digest_of
from reconcile.filesystem.sync.compare_file import Judge
from reconcile.filesystem.sync.manifest import NOT_OURS
from reconcile.filesystem.sync.source import Original
from reconcile.types import Encoding


class Siblings:
    """What `judge` finds of them."""

    def __init__(self, judge: Judge) -> None:
        self._judge = judge
        self._order, self._shipped = judge.order, judge.shipped
        self.wanted: set[str] = set()
        """Their names in the directory that is looked at."""

    def look(
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
            if name in own or path + suffix in self._order.excluded:
                continue
            if worth and encoding in self._order.precompress:
                self.wanted.add(name)
                self._made(path, encoding, original, sibling, changes=changes)
            elif sibling is not None and stat.S_ISREG(sibling.st_mode):
                if self.is_made(path + suffix, sibling):
                    self._judge.found.stale[path + suffix] = "unasked"
                elif changes or sibling.st_mtime_ns < there[file].st_mtime_ns:
                    self._judge.found.stale[path + suffix] = "outdated"

    def _made(
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
        if not changes and there is None and self._shipped.is_no_gain(path, signature):
            self._judge.found.settled += [path] if self._judge.remember else []
            return
        if not self._judge.is_there(path, there) or there is None or changes:
            self._judge.differs(path, original, there, encoding)
        elif self._is_of(path, encoding, original, there):
            self._judge.right(path, signature, there, is_made=True)
        else:
            self._judge.differs(path, original, there, encoding)

    def _is_of(
        self, path: str, encoding: Encoding, original: Original, there: os.stat_result
    ) -> bool:
        """Whether it is what would be made of the original now."""
        if self._shipped.vouches(path, original.st, there):
            return True
        if self._shipped.knows_source(path, original.signature) and self.is_made(path, there):
            return True
        with self._judge.source.opened(original.real) as fd:
            data = b"".join(chunks(fd))
        made = compressed(encoding, data)
        return len(made) < len(data) and self._judge.holds(path, made)

    def is_made(self, path: str, there: os.stat_result) -> bool:
        """Whether we made it, and nobody has changed it since."""
        digest = self._shipped.made(path)
        if digest == NOT_OURS or not stat.S_ISREG(there.st_mode):
            return False
        with self._judge.opened(path) as fd:
            return digest_of(fd) == f"sha256:{digest.hex()}"
