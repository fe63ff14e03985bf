"""One file of a copy beside its original: whether it is right, and what is wrong with it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.openat import DirectoryCursor
from reconcile.filesystem.path import join, parent
from reconcile.filesystem.permissions import PermissionDeviation, may_change_owner
from reconcile.filesystem.read import CHUNK
from reconcile.filesystem.read import opened as open_file
from reconcile.filesystem.safe_path import PinnedName
from reconcile.filesystem.sync.manifest import Signature, SyncManifest, pack_row
from reconcile.filesystem.sync.source import NotCopied, Original, Source
from reconcile.filesystem.sync.sync_diff import (
    ChangedSide,
    FileCopy,
    SyncDiff,
    SyncRequest,
)
from reconcile.types import Encoding


class FileComparison:
    """Gathers in `found` what is wrong with the files that it is shown."""

    def __init__(
        self,
        ours: Source,
        order: SyncRequest,
        shipped: SyncManifest,
        way: DirectoryCursor,
        *,
        remember: bool,
    ) -> None:
        self.source, self.request, self.manifest, self.cursor = ours, order, shipped, way
        self.remember = remember
        self.found = SyncDiff(not_copied=ours.not_copied)

    def reset(self) -> None:
        self.source.not_copied = NotCopied()
        self.found = SyncDiff(not_copied=self.source.not_copied)

    def is_file(self, path: str, there: os.stat_result | None, size: int | None = None) -> bool:
        """Whether a file (of that size) is; the total counts every file asked about."""
        self.found.total += 1
        if there is not None and stat.S_ISDIR(there.st_mode):
            raise wrong_kind_in_copy(join(self.request.root, path), "a file")
        if there is None or not stat.S_ISREG(there.st_mode):
            return False
        return size is None or there.st_size == size

    def record_match(
        self, path: str, original: Signature, there: os.stat_result | None, *, is_made: bool = False
    ) -> None:
        if there is None:
            return
        self.compare_owner(path, there)
        if self.remember:
            digest, copy = self.manifest.digest(path), Signature.of(there)
            self.found.rows[path] = pack_row(original, copy, digest, is_made=is_made)

    def record_difference(
        self,
        path: str,
        original: Original,
        there: os.stat_result | None,
        encoding: Encoding | None = None,
    ) -> None:
        """It has to be written, as the original or made of it."""
        moved: ChangedSide = (
            "host" if self.manifest.is_source_unchanged(path, original.signature) else "source"
        )
        size = original.st.st_size if encoding is None else 0
        is_new, old_size = there is None, 0 if there is None else there.st_size
        copy = FileCopy(path, original.source_path, None, is_new, old_size, size, moved, encoding)
        self.found.copies.append(copy)

    def is_equal(self, path: str, original: Original, there: os.stat_result | None) -> bool:
        if there is None:
            return False
        if self.manifest.matches_record(path, original.st, there):
            return True
        with self.source.open_file(original.source_path) as ours, self.open_copy(path) as copy:
            return _have_equal_content(ours, copy)

    def has_content(self, path: str, data: bytes) -> bool:
        with self.open_copy(path) as fd:
            return os.pread(fd, len(data) + 1, 0) == data

    @contextmanager
    def open_copy(self, path: str) -> Iterator[int]:
        folder, _, name = path.rpartition("/")
        fd, guard = self.cursor.enter(folder)
        with open_file(PinnedName(path, fd, name, guard)) as file:
            yield file

    def compare_owner(self, path: str, st: os.stat_result) -> None:
        rule, is_directory = self.request.policy, stat.S_ISDIR(st.st_mode)
        mode = rule.directory_mode if is_directory else rule.file_mode
        wanted = (rule.uid, rule.gid, mode)
        if (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == wanted:
            return
        if not is_directory and not stat.S_ISREG(st.st_mode):
            return
        _, guard = self.cursor.enter(parent(path))
        sheltered = guard == "closed"
        linked = not is_directory and st.st_nlink > 1
        if linked or not (sheltered or may_change_owner(st.st_uid, rule.uid)):
            self.found.skipped.add(path)
            return
        self.found.deviations.append(
            PermissionDeviation(
                path,
                is_directory,
                st.st_uid,
                st.st_gid,
                stat.S_IMODE(st.st_mode),
                st.st_ino,
                st.st_ctime_ns,
                sheltered,
            )
        )


def _have_equal_content(one: int, other: int) -> bool:
    offset = 0
    while True:
        mine, theirs = os.pread(one, CHUNK, offset), os.pread(other, CHUNK, offset)
        if mine != theirs:
            return False
        if not mine:
            return True
        offset += len(mine)


def wrong_kind_in_copy(path: str, wanted: str) -> HostError:
    return HostError(
        what=f"{path} is in the way: the source has {wanted} there",
        why="it is of another kind, and not reconcile's to remove",
        fix="Move it away, or rename it in the source.",
    )
