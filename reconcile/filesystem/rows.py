"""What is remembered of many files: a row of bytes for each, by folder.

A folder's names are one string and its rows one block, because a hundred thousand
Python objects would cost more time and memory than all that they stand for.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from reconcile.filesystem.names import join

ROW = struct.Struct("<8Q32s?")
"""Size, mtime, ctime and inode of the original and of the copy; the digest of what we wrote;
whether we made it, compressed, of the original."""
SIGNATURES = struct.Struct("<8Q")
HALF = struct.Struct("<4Q")
ORIGINAL = slice(0, HALF.size)
COPY = slice(HALF.size, SIGNATURES.size)
DIGEST = slice(SIGNATURES.size, SIGNATURES.size + 32)
MADE = ROW.size - 1

Packed = dict[str, tuple[str, bytes]]
"""Folder → the names in it, separated by NUL, and their rows in the same order."""


class Rows(NamedTuple):
    """Paths relative to a root, and their rows."""

    packed: Packed

    def inside(self, folder: str) -> Iterator[tuple[str, bytes]]:
        """The names in one folder, and their rows."""
        names, block = self.packed.get(folder, ("", b""))
        starts = range(0, len(block), ROW.size)
        return zip(names.split("\0"), (block[at : at + ROW.size] for at in starts), strict=False)

    def items(self) -> Iterator[tuple[str, bytes]]:
        for folder in self.packed:
            for name, row in self.inside(folder):
                yield join(folder, name), row


def packed(rows: Mapping[str, bytes]) -> Packed:
    """`rows` by path, as they are kept."""
    folders: dict[str, list[str]] = {}
    for path in sorted(rows):
        folders.setdefault(path.rpartition("/")[0], []).append(path)
    return {folder: _block(folder, paths, rows) for folder, paths in folders.items()}


def _block(folder: str, paths: Iterable[str], rows: Mapping[str, bytes]) -> tuple[str, bytes]:
    start = len(folder) + 1 if folder else 0
    names = "\0".join(path[start:] for path in paths)
    return names, b"".join(rows[path] for path in paths)
