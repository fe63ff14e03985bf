"""The manifest of a copy: which files reconcile wrote, and which need not be read again.

A folder's names are one string and its rows one block of bytes, because a hundred thousand
Python objects would cost more time and memory than all that they stand for.
"""

from __future__ import annotations

import marshal
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from hashlib import blake2b, sha256
from posixpath import join
from typing import Any

from reconcile.filesystem.host_error import explained
from reconcile.filesystem.inode_flags import changing
from reconcile.filesystem.openat import GONE, directory_cursor
from reconcile.filesystem.path import relative_to
from reconcile.filesystem.place_guard import UNGUARDED, PlaceGuard, ProtectedPlace
from reconcile.filesystem.read import identity_of, listdir
from reconcile.filesystem.state_dir import StateDir
from reconcile.filesystem.sync.manifest_row import (
    COPY,
    DIGEST,
    GENERATED,
    HALF,
    NO_COPY,
    NOT_WRITTEN,
    ORIGINAL,
    ROW,
    SIGNATURES,
    RowsByFolder,
    Signature,
    pack_row,
    pack_rows,
)
from reconcile.filesystem.undo import Recorder
from reconcile.filesystem.write import unlink, write

FOLDER = "assets"
SEAL = 32
FORMAT = 2
MARSHAL_VERSION = 4
_SHA256 = "sha256:"
CLOCK_TICK_NS = 20_000_000
"""The kernel's clock for ctime is coarser than this; a younger one proves nothing."""


class SyncManifest:
    """The manifest of one root, kept in the state directory; losing it loses no correctness.

    Without it contents are compared byte by byte, and nothing is removed.
    """

    def __init__(self, state: StateDir, root: str, guard: PlaceGuard = UNGUARDED) -> None:
        self._state, self.root, self._guard = state, root, guard
        self.name = f"{FOLDER}/{sha256(os.fsencode(root)).hexdigest()[:32]}"
        self._cached_folder: str | None = None
        self._cached_rows: dict[str, bytes] = {}

    @cached_property
    def _record(self) -> dict[str, Any]:
        data = memoryview(self._state.read(self.name) or b"")
        seal, body = data[:SEAL], data[SEAL:]
        if body and blake2b(body, digest_size=SEAL).digest() == seal:
            record: dict[str, Any] = marshal.loads(body)  # noqa: S302  sealed, in our own directory
            if record.get("format") == FORMAT:
                return record
        return {"at": 0, "files": {}, "folders": []}

    def rows_in(self, folder: str) -> Iterator[tuple[str, bytes]]:
        """The names in one folder, and their rows."""
        names, block = self._record["files"].get(folder, ("", b""))
        starts = range(0, len(block), ROW.size)
        return zip(names.split("\0"), (block[at : at + ROW.size] for at in starts), strict=False)

    def row(self, path: str) -> bytes | None:
        """The row of one file; fast for many of one folder."""
        folder, _, name = path.rpartition("/")
        if self._cached_folder != folder:
            self._cached_folder, self._cached_rows = folder, dict(self.rows_in(folder))
        return self._cached_rows.get(name)

    @property
    def folders(self) -> frozenset[str]:
        """The directories that reconcile created."""
        return frozenset(self._record["folders"])

    @property
    def dropped(self) -> dict[str, float]:
        """Relative path → when the source was found to have dropped it, in seconds."""
        return dict(self._record.get("dropped", {}))

    @property
    def exists(self) -> bool:
        """Whether anything was ever copied to the root."""
        return bool(self._record["at"])

    def written_files(self) -> dict[str, str]:
        """Relative path → `sha256:…` of every file that reconcile wrote."""
        return {
            join(folder, name): f"sha256:{row[DIGEST].hex()}"
            for folder in self._record["files"]
            for name, row in self.rows_in(folder)
            if row[DIGEST] != NOT_WRITTEN
        }

    def removable_files(self) -> frozenset[str]:
        """The relative paths of the files that a removal takes: they hold what was written."""
        written = self.written_files()
        folders = self._reached(self._record["files"])
        return frozenset(
            path
            for path, digest in written.items()
            if path.rpartition("/")[0] in folders and self._holds(path, digest)
        )

    def removable_folders(self, files: Iterable[str]) -> frozenset[str]:
        """Its own folders that are empty once `files` are gone, by their relative paths."""
        going = set(files)
        for folder in sorted(self._reached(self.folders), reverse=True):
            if going.issuperset(self._paths_in(folder)):
                going.add(folder)
        return self.folders & going

    def _reached(self, folders: Iterable[str]) -> frozenset[str]:
        """Those of `folders` in which a removal acts: behind no link, and not protected."""
        reached: list[str] = []
        with (
            explained(f"{self.root} cannot be examined"),
            _leaving_out_unreached(),
            directory_cursor(self.root, self._guard) as cursor,
        ):
            for folder in sorted(folders):
                with _leaving_out_unreached():
                    cursor.enter(folder)
                    reached.append(folder)
        return frozenset(reached)

    def is_as_written(self, path: str) -> bool:
        """Whether reconcile wrote this file, and it still holds that."""
        digest = self.digest(path)
        return digest != NOT_WRITTEN and self._holds(path, f"sha256:{digest.hex()}")

    def _holds(self, path: str, digest: str) -> bool:
        at, row = join(self.root, path), self.row(path)
        try:
            found = os.lstat(at)
        except (FileNotFoundError, NotADirectoryError):
            return False
        is_known = row is not None and row[COPY] == Signature.of(found).packed
        is_proven = is_known and found.st_ctime_ns < self.racy_from_ns
        with explained(f"{at} cannot be read"):
            return is_proven or identity_of(at) == digest

    def exclusive_names(self, at: str = "") -> frozenset[str]:
        """The names in its folder `at` below which there is nothing but what reconcile wrote."""
        prefix = f"{at}/" if at else ""
        folders = self._reached(self.folders)
        written = self.removable_files() | folders
        shared = {
            path.removeprefix(prefix).partition("/")[0]
            for folder in folders
            if folder.startswith(prefix)
            for path in self._paths_in(folder)
            if path not in written
        }
        below = (path.removeprefix(prefix) for path in written if path.startswith(prefix))
        return frozenset(name for name in below if "/" not in name) - shared

    def _paths_in(self, folder: str) -> list[str]:
        path = join(self.root, folder)
        with explained(f"{path} cannot be listed"):
            try:
                return [join(folder, name) for name in listdir(path)]
            except FileNotFoundError:
                return []

    def matches_record(self, path: str, original: os.stat_result, copy: os.stat_result) -> bool:
        """Whether both are still exactly what they were when the copy was found to match."""
        known, racy_from_ns = self.row(path), self.racy_from_ns
        if known is None or max(original.st_ctime_ns, copy.st_ctime_ns) >= racy_from_ns:
            return False
        now = SIGNATURES.pack(*Signature.of(original), *Signature.of(copy))
        return known[: SIGNATURES.size] == now

    @cached_property
    def racy_from_ns(self) -> int:
        """A ctime from here on is too young to prove that nothing changed since."""
        recorded_ns: int = self._record["at"]
        return recorded_ns - CLOCK_TICK_NS

    def is_source_unchanged(self, path: str, source: Signature) -> bool:
        """Whether the source is still the one that was copied."""
        known = self.row(path)
        return known is not None and known[ORIGINAL] == HALF.pack(*source)

    def is_incompressible(self, path: str, source: Signature) -> bool:
        """Whether the source, as it is, was found not to become smaller when compressed."""
        known = self.row(path)
        has_no_copy = known is not None and known[COPY] == HALF.pack(*NO_COPY)
        return has_no_copy and self.is_source_unchanged(path, source)

    def generated_digest(self, path: str) -> bytes:
        """The digest of what was generated as `path` from a source file, or `NOT_WRITTEN`."""
        known = self.row(path)
        return known[DIGEST] if known is not None and known[GENERATED] else NOT_WRITTEN

    def digest(self, path: str) -> bytes:
        """The digest of what was written as `path`, or `NOT_WRITTEN`."""
        known = self.row(path)
        return NOT_WRITTEN if known is None else known[DIGEST]

    def update(
        self,
        recorder: Recorder | None,
        rows: Mapping[str, bytes],
        unconfirmed: Iterable[str],
        folders: Iterable[str],
        newest_ns: int,
        is_copied: Callable[[str], bool],
        dropped: Mapping[str, float] | None = None,
    ) -> None:
        """Record what was copied; the change can be undone like that of any other file.

        `rows` are new, `unconfirmed` paths have no row unless among them, `folders` were created,
        and only rows in folders that `is_copied` are kept. `newest_ns` is the youngest ctime
        of the copies just written; `dropped` replaces what is recorded so. Errors: HostError.
        """
        wait_for_tick(newest_ns)
        files = {
            folder: block for folder, block in self._record["files"].items() if is_copied(folder)
        }
        record = {
            "format": FORMAT,
            "at": time.time_ns(),
            "files": self._with_changes(files, _by_folder(rows, unconfirmed)),
            "folders": sorted(self.folders.union(folders)),
        }
        self._write(recorder, record, self.dropped if dropped is None else dropped)

    def _with_changes(
        self, files: RowsByFolder, changes: Mapping[str, Mapping[str, bytes | None]]
    ) -> RowsByFolder:
        """`files` with the changed rows; None for one that goes."""
        merged = dict(files)
        for folder, changed in changes.items():
            rows = {**dict(self.rows_in(folder) if folder in files else ()), **changed}
            merged.pop(folder, None)
            merged |= pack_rows({join(folder, name): row for name, row in rows.items() if row})
        return merged

    def record_dropped(self, recorder: Recorder | None, dropped: Mapping[str, float]) -> None:
        """Record when the source dropped what is kept; nothing else. Errors: HostError."""
        self._write(recorder, self._record, dropped)

    def record_written(self, files: Mapping[str, str], folders: Iterable[str]) -> None:
        """Add what an earlier apply copied: paths with what they held, and created directories.

        What holds something else now is left out; without a record nothing is added to it.
        Errors: OSError, HostError.
        """
        if not self.exists:
            return
        rows = {path: self._row_of_written(path, wrote) for path, wrote in files.items()}
        known = {path: row for path, row in rows.items() if row is not None}
        record = {
            # With its old time: a younger file is proven by its content alone.
            **self._record,
            "files": self._with_changes(self._record["files"], _by_folder(known, ())),
            "folders": sorted(self.folders.union(folders)),
        }
        self._write(None, record, self.dropped)

    def _row_of_written(self, path: str, wrote: str) -> bytes | None:
        """The row of a file that still holds what was written; its original is gone."""
        at = join(self.root, path)
        try:
            found = os.lstat(at)
        except (FileNotFoundError, NotADirectoryError):
            return None
        if identity_of(at) != wrote or not wrote.startswith(_SHA256):
            return None
        return pack_row(NO_COPY, Signature.of(found), bytes.fromhex(wrote.removeprefix(_SHA256)))

    def _write(
        self, recorder: Recorder | None, record: Mapping[str, Any], dropped: Mapping[str, float]
    ) -> None:
        record = {name: value for name, value in record.items() if name != "dropped"}
        if dropped:
            record["dropped"] = dict(sorted(dropped.items()))
        body = marshal.dumps(record, MARSHAL_VERSION)
        data = blake2b(body, digest_size=SEAL).digest() + body
        self._state.make_directory(FOLDER)
        path = self._state.path_of(self.name)
        with changing(path, "written"):
            write(recorder, path, data, uid=os.geteuid(), gid=os.getegid(), mode=0o600)

    def take_over(
        self, recorder: Recorder | None, other: SyncManifest, paths: Iterable[str]
    ) -> None:
        """Own what `other` wrote at its `paths`, where it is still that. Errors: HostError."""
        rows = {join(f, name): row for f in self._record["files"] for name, row in self.rows_in(f)}
        folders = set(self.folders)
        for path in paths:
            here = relative_to(join(other.root, path), self.root)
            if here is None:
                continue
            other_row, own = other.row(path), rows.get(here)
            if path in other.folders:
                folders.add(here)
            elif other_row and (own is None or _is_same_copy(own, other_row)):
                rows[here] = other_row
        self.update(recorder, rows, (), folders, 0, lambda _: True)

    def delete(self, recorder: Recorder | None) -> None:
        """Remove the manifest, which can be undone. Errors: HostError."""
        path = self._state.path_of(self.name)
        with changing(path, "removed"):
            unlink(recorder, path)


@contextmanager
def _leaving_out_unreached() -> Iterator[None]:
    try:
        yield
    except ProtectedPlace:
        pass
    except OSError as error:
        if error.errno not in GONE:
            raise


def _is_same_copy(own: bytes, other_row: bytes) -> bool:
    return own[COPY] == other_row[COPY] and own[DIGEST] == NOT_WRITTEN


def _by_folder(
    rows: Mapping[str, bytes], unconfirmed: Iterable[str]
) -> dict[str, dict[str, bytes | None]]:
    """Folder → name → its new row; None where it has no row any more."""
    folders: dict[str, dict[str, bytes | None]] = {}
    for path, row in (*((path, None) for path in unconfirmed), *rows.items()):
        folder, _, name = path.rpartition("/")
        folders.setdefault(folder, {})[name] = row
    return folders


def wait_for_tick(newest_ns: int) -> None:
    """A change within one tick of the clock would be invisible, so let the tick pass."""
    wait_ns = newest_ns + CLOCK_TICK_NS + 1_000_000 - time.time_ns()
    time.sleep(min(max(wait_ns, 0), 2 * CLOCK_TICK_NS) / 1e9)
