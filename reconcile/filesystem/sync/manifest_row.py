"""The row of a copied file, packed: its original, its copy, and what was written."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping
from typing import NamedTuple

NOT_WRITTEN = bytes(32)
ROW = struct.Struct("<8Q32s?")
"""Size, mtime, ctime and inode of the original and of the copy; the digest of what was written;
whether it was generated, compressed, from the original."""
SIGNATURES = struct.Struct("<8Q")
HALF = struct.Struct("<4Q")
ORIGINAL = slice(0, HALF.size)
COPY = slice(HALF.size, SIGNATURES.size)
DIGEST = slice(SIGNATURES.size, SIGNATURES.size + 32)
GENERATED = ROW.size - 1
RowsByFolder = dict[str, tuple[str, bytes]]
"""Folder → the names in it, separated by NUL, and their rows in the same order."""


class Signature(NamedTuple):
    """What changes when a file's content does; nobody can set a ctime."""

    size: int
    mtime_ns: int
    ctime_ns: int
    ino: int

    @classmethod
    def of(cls, st: os.stat_result) -> Signature:
        """That of the file `st`."""
        return cls(st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_ino)

    @classmethod
    def unpack(cls, packed: bytes) -> Signature:
        """The one that was `packed`."""
        return cls(*HALF.unpack(packed))

    @property
    def packed(self) -> bytes:
        """The same in 32 bytes, for plans that hold very many."""
        return HALF.pack(*self)

    @property
    def content(self) -> tuple[int, int, int]:
        """Without the ctime, which a further hard link changes, too."""
        return self.size, self.mtime_ns, self.ino


NO_COPY = Signature(0, 0, 0, 0)


def pack_row(
    original: Signature, copy: Signature, digest: bytes = NOT_WRITTEN, *, is_generated: bool = False
) -> bytes:
    """The row of a file of the source and its copy, once the copy matches.

    `digest` is the SHA-256 of what was written; `NOT_WRITTEN` where the copy existed before.
    `is_generated`: the copy is the original compressed, and `NO_COPY` where that is no smaller.
    """
    return ROW.pack(*original, *copy, digest, is_generated)


def pack_rows(rows: Mapping[str, bytes]) -> RowsByFolder:
    """`rows` by path, as they are stored."""
    folders: dict[str, list[str]] = {}
    for path in sorted(rows):
        folders.setdefault(path.rpartition("/")[0], []).append(path)
    return {folder: _block(folder, paths, rows) for folder, paths in folders.items()}


def _block(folder: str, paths: Iterable[str], rows: Mapping[str, bytes]) -> tuple[str, bytes]:
    start = len(folder) + 1 if folder else 0
    names = "\0".join(path[start:] for path in paths)
    return names, b"".join(rows[path] for path in paths)
