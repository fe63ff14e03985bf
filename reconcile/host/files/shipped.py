"""What was copied to a root: which files are ours, and which need not be read again."""

from __future__ import annotations

import marshal
import os
import struct
import time
from functools import cached_property
from hashlib import blake2b, sha256
from typing import TYPE_CHECKING, Any, NamedTuple

from reconcile.host.files.names import as_bytes, join

if TYPE_CHECKING:
    from reconcile.host import Host

FOLDER = "assets"
SEAL = 32
MARSHAL_VERSION = 4
ROW = struct.Struct("<8Q32s")
SIGNATURES = struct.Struct("<8Q")
NOT_OURS = bytes(32)
SETTLED_NS = 50_000_000
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


class Copied(NamedTuple):
    """A file of the source and its copy, found equal; `digest` is b"" where we did not write it."""

    source: Signature
    target: Signature
    digest: bytes


class Shipped:
    """The record for one root, kept in the state directory; losing it loses no correctness.

    Without it contents are compared byte by byte, and nothing is removed.
    """

    def __init__(self, host: Host, root: str) -> None:
        self._host, self._root = host, root
        self.name = f"{FOLDER}/{sha256(as_bytes(root)).hexdigest()[:32]}"

    @cached_property
    def _record(self) -> dict[str, Any]:
        data = self._host.state.read(self.name) or b""
        seal, body = data[:SEAL], data[SEAL:]
        if not body or blake2b(body, digest_size=SEAL).digest() != seal:
            return {"at": 0, "files": {}, "folders": []}
        record: dict[str, Any] = marshal.loads(body)  # noqa: S302  sealed, in our own directory
        return record

    @property
    def rows(self) -> dict[str, bytes]:
        rows: dict[str, bytes] = self._record["files"]
        return rows

    @property
    def folders(self) -> frozenset[str]:
        """The directories that we made."""
        return frozenset(self._record["folders"])

    @property
    def exists(self) -> bool:
        return bool(self._record["at"])

    def ours(self) -> dict[str, str]:
        """Relative path → `sha256:…` of every file that we wrote."""
        rows = {path: ROW.unpack(row)[-1] for path, row in self.rows.items()}
        return {path: f"sha256:{own.hex()}" for path, own in rows.items() if own != NOT_OURS}

    def alone(self) -> frozenset[str]:
        """The names in the root below which nothing is but what we wrote."""
        ours = self.ours().keys() | self.folders
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

    def vouches(self, path: str, source: Signature, target: Signature) -> bool:
        """Whether both are still exactly what was once found equal."""
        row = self.rows.get(path)
        newest = max(source.ctime_ns, target.ctime_ns)
        settled = newest + SETTLED_NS < self._record["at"]
        return row is not None and settled and row[:-32] == SIGNATURES.pack(*source, *target)

    def knows_source(self, path: str, source: Signature) -> bool:
        """Whether the source has not moved since we copied it."""
        row = self.rows.get(path)
        return row is not None and Signature(*ROW.unpack(row)[:4]) == source

    def digest(self, path: str) -> bytes:
        row = self.rows.get(path)
        return NOT_OURS if row is None else row[-32:]

    def save(self, files: dict[str, Copied], folders: frozenset[str]) -> None:
        """Replace the record; recorded for undo like any other file."""
        _wait_until_settled(files)
        rows = {
            path: ROW.pack(*one.source, *one.target, one.digest or NOT_OURS)
            for path, one in files.items()
        }
        record = {"at": time.time_ns(), "files": rows, "folders": sorted(folders)}
        body = marshal.dumps(record, MARSHAL_VERSION)
        self._host.state.make(FOLDER)
        me = self._host.accounts.current
        self._host.files.write(
            self._host.state.path_of(self.name), blake2b(body, digest_size=SEAL).digest() + body,
            uid=me.uid, gid=me.gid, mode=0o600,
        )  # fmt: skip

    def forget(self) -> None:
        self._host.files.unlink(self._host.state.path_of(self.name))


def _wait_until_settled(files: dict[str, Copied]) -> None:
    """A change within one tick of the clock would not show, so let the tick pass."""
    newest = max((one.target.ctime_ns for one in files.values()), default=0)
    time.sleep(min(max(newest + SETTLED_NS + 1_000_000 - time.time_ns(), 0), SETTLED_NS * 2) / 1e9)
