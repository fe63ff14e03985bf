"""What was copied to a root: which files are ours, and which need not be read again."""

from __future__ import annotations

import marshal
import os
import time
from functools import cached_property
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from reconcile.filesystem.path import as_bytes, join

if TYPE_CHECKING:
    from reconcile.system import Host


import struct
from collections.abc import Iterable, Iterator, Mapping

FOLDER = "assets"
SEAL = 32
FORMAT = 2
MARSHAL_VERSION = 4
NOT_OURS = bytes(32)
CLOCK_TICK_NS = 20_000_000
"""The kernel's clock for ctime is coarser than this; a younger one proves nothing."""


class Signature(NamedTuple):
    """What changes when a file's content does; ctime cannot be set by anybody."""

    size: int
    mtime_ns: int
    ctime_ns: int
    ino: int

    @classmethod
    def of(cls, st: os.stat_result) -> Signature:
        return cls(st.st_size, st.st_mtime_ns, st.st_ctime_ns, st.st_ino)


def pack_row(
    original: Signature, copy: Signature, digest: bytes = NOT_OURS, *, is_made: bool = False
) -> bytes:
    """What is remembered of a file of the source and its copy, once the copy is right.

    `digest` is the SHA-256 of what we wrote; none where we found the copy there.
    `is_made`: the copy is the original compressed, and `NO_COPY` where that is no gain.
    """
    return ROW.pack(*original, *copy, digest, is_made)


NO_COPY = Signature(0, 0, 0, 0)


class SyncManifest:
    """The record for one root, kept in the state directory; losing it loses no correctness.

    Without it contents are compared byte by byte, and nothing is removed.
    """

    def __init__(self, host: Host, root: str) -> None:
        self._host, self._root = host, root
        self.name = f"{FOLDER}/{sha256(as_bytes(root)).hexdigest()[:32]}"
        self._at: str | None = None
        self._here: dict[str, bytes] = {}

    @cached_property
    def _record(self) -> dict[str, Any]:
        data = memoryview(self._host.state.read(self.name) or b"")
        seal, body = data[:SEAL], data[SEAL:]
        if body and blake2b(body, digest_size=SEAL).digest() == seal:
            record: dict[str, Any] = marshal.loads(body)  # noqa: S302  sealed, in our own directory
            if record.get("format") == FORMAT:
                return record
        return {"at": 0, "files": {}, "folders": []}

    @property
    def rows(self) -> PackedRows:
        return PackedRows(self._record["files"])

    def row(self, path: str) -> bytes | None:
        """What is remembered of one file; quick for many of one folder."""
        folder, _, name = path.rpartition("/")
        if self._at != folder:
            self._at, self._here = folder, dict(self.rows.in_folder(folder))
        return self._here.get(name)

    @property
    def folders(self) -> frozenset[str]:
        """The directories that we made."""
        return frozenset(self._record["folders"])

    @property
    def exists(self) -> bool:
        return bool(self._record["at"])

    def our_files(self) -> dict[str, str]:
        """Relative path → `sha256:…` of every file that we wrote."""
        own = ((path, known[DIGEST]) for path, known in self.rows.items())
        return {path: f"sha256:{one.hex()}" for path, one in own if one != NOT_OURS}

    def exclusively_ours(self) -> frozenset[str]:
        """The names in the root below which nothing is but what we wrote."""
        ours = self.our_files().keys() | self.folders
        shared = {
            path.partition("/")[0]
            for folder in self.folders
            for path in self._inside(folder)
            if path not in ours
        }
        return frozenset(path for path in ours if "/" not in path) - shared

    def _inside(self, folder: str) -> list[str]:
        path = join(self._root, folder)
        if self._host.files.stat(path) is None:
            return []
        return [join(folder, name) for name in self._host.files.listdir(path)]

    def matches_record(self, path: str, original: os.stat_result, copy: os.stat_result) -> bool:
        """Whether both are still exactly what the copy was once found right with."""
        known, settled_ns = self.row(path), self.racy_from_ns
        if known is None or original.st_ctime_ns >= settled_ns or copy.st_ctime_ns >= settled_ns:
            return False
        now = SIGNATURES.pack(*Signature.of(original), *Signature.of(copy))
        return known[: SIGNATURES.size] == now

    @cached_property
    def racy_from_ns(self) -> int:
        """A ctime from here on is too young to prove that nothing changed since."""
        settled: int = self._record["at"] - CLOCK_TICK_NS
        return settled

    def is_source_unchanged(self, path: str, source: Signature) -> bool:
        """Whether the source has not moved since we copied it."""
        known = self.row(path)
        return known is not None and known[ORIGINAL] == HALF.pack(*source)

    def is_incompressible(self, path: str, source: Signature) -> bool:
        """Whether the source, as it is, was found not to become smaller when compressed."""
        known = self.row(path)
        return (
            known is not None
            and known[COPY] == HALF.pack(*NO_COPY)
            and self.is_source_unchanged(path, source)
        )

    def generated_digest(self, path: str) -> bytes:
        """The digest of what we made at `path` out of a file of the source; `NOT_OURS` if none."""
        known = self.row(path)
        return known[DIGEST] if known is not None and known[GENERATED] else NOT_OURS

    def digest(self, path: str) -> bytes:
        known = self.row(path)
        return NOT_OURS if known is None else known[DIGEST]

    def save(self, rows: dict[str, bytes], folders: frozenset[str], newest_ns: int) -> None:
        """Replace the record, which is undone like any other file.

        `newest_ns` is the youngest ctime among the copies just written.
        """
        _wait_for_tick(newest_ns)
        record = {
            "format": FORMAT,
            "at": time.time_ns(),
            "files": pack_rows(rows),
            "folders": sorted(folders),
        }
        body = marshal.dumps(record, MARSHAL_VERSION)
        self._host.state.make_directory(FOLDER)
        me = self._host.accounts.current
        self._host.files.write(
            self._host.state.path_of(self.name),
            blake2b(body, digest_size=SEAL).digest() + body,
            uid=me.uid,
            gid=me.gid,
            mode=0o600,
        )

    def delete(self) -> None:
        self._host.files.unlink(self._host.state.path_of(self.name))


def _wait_for_tick(newest_ns: int) -> None:
    """A change within one tick of the clock would not show, so let the tick pass."""
    wait_ns = newest_ns + CLOCK_TICK_NS + 1_000_000 - time.time_ns()
    time.sleep(min(max(wait_ns, 0), 2 * CLOCK_TICK_NS) / 1e9)


ROW = struct.Struct("<8Q32s?")
"""Size, mtime, ctime and inode of the original and of the copy; the digest of what we wrote;
whether we made it, compressed, of the original."""
SIGNATURES = struct.Struct("<8Q")
HALF = struct.Struct("<4Q")
ORIGINAL = slice(0, HALF.size)
COPY = slice(HALF.size, SIGNATURES.size)
DIGEST = slice(SIGNATURES.size, SIGNATURES.size + 32)
GENERATED = ROW.size - 1

RowsByFolder = dict[str, tuple[str, bytes]]
"""Folder → the names in it, separated by NUL, and their rows in the same order."""


class PackedRows(NamedTuple):
    """Paths relative to a root, and their rows."""

    packed: RowsByFolder

    def in_folder(self, folder: str) -> Iterator[tuple[str, bytes]]:
        """The names in one folder, and their rows."""
        names, block = self.packed.get(folder, ("", b""))
        starts = range(0, len(block), ROW.size)
        return zip(names.split("\0"), (block[at : at + ROW.size] for at in starts), strict=False)

    def items(self) -> Iterator[tuple[str, bytes]]:
        for folder in self.packed:
            for name, row in self.in_folder(folder):
                yield join(folder, name), row


def pack_rows(rows: Mapping[str, bytes]) -> RowsByFolder:
    """`rows` by path, as they are kept."""
    folders: dict[str, list[str]] = {}
    for path in sorted(rows):
        folders.setdefault(path.rpartition("/")[0], []).append(path)
    return {folder: _block(folder, paths, rows) for folder, paths in folders.items()}


def _block(folder: str, paths: Iterable[str], rows: Mapping[str, bytes]) -> tuple[str, bytes]:
    start = len(folder) + 1 if folder else 0
    names = "\0".join(path[start:] for path in paths)
    return names, b"".join(rows[path] for path in paths)
