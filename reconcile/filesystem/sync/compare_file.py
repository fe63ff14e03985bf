"""One file of a copy beside its original: whether it is right, and what is wrong with it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.openat import Descent
from reconcile.filesystem.path import join, parent
from reconcile.filesystem.permissions import PermissionDeviation, givable
from reconcile.filesystem.read import CHUNK
from reconcile.filesystem.read import opened as open_file
from reconcile.filesystem.safe_path import PinnedName
from reconcile.filesystem.sync.manifest import Signature, SyncManifest, row
from reconcile.filesystem.sync.source import LeftOut, Original, Source
from reconcile.filesystem.sync.sync_diff import Copy, Moved, SyncDiff, SyncRequest
from reconcile.types import Encoding


class Judge:
    """Gathers in `found` what is wrong with the files that it is shown."""

    def __init__(
        self,
        ours: Source,
        order: SyncRequest,
        shipped: SyncManifest,
        way: Descent,
        *,
        remember: bool,
    ) -> None:
        self.source, self.order, self.shipped, self.way = ours, order, shipped, way
        self.remember = remember
        self.found = SyncDiff(left_out=ours.left_out)

    def begin_anew(self) -> None:
        self.source.left_out = LeftOut()
        self.found = SyncDiff(left_out=self.source.left_out)

    def is_there(self, path: str, there: os.stat_result | None, size: int | None = None) -> bool:
        """Whether a file (of that size) is; the total counts every file asked about."""
        self.found.total += 1
        if there is not None and stat.S_ISDIR(there.st_mode):
            raise in_the_way(join(self.order.root, path), "a file")
        if there is None or not stat.S_ISREG(there.st_mode):
            return False
        return size is None or there.st_size == size

    def right(
        self, path: str, original: Signature, there: os.stat_result | None, *, is_made: bool = False
    ) -> None:
        if there is None:
            return
        self.compare_owner(path, there)
        if self.remember:
            digest, copy = self.shipped.digest(path), Signature.of(there)
            self.found.rows[path] = row(original, copy, digest, is_made=is_made)

    def differs(
        self,
        path: str,
        original: Original,
        there: os.stat_result | None,
        encoding: Encoding | None = None,
    ) -> None:
        """It has to be written, as the original or made of it."""
        moved: Moved = "host" if self.shipped.knows_source(path, original.signature) else "source"
        size = original.st.st_size if encoding is None else 0
        is_new, old_size = there is None, 0 if there is None else there.st_size
        copy = Copy(path, original.real, None, is_new, old_size, size, moved, encoding)
        self.found.copies.append(copy)

    def is_equal(self, path: str, original: Original, there: os.stat_result | None) -> bool:
        if there is None:
            return False
        if self.shipped.vouches(path, original.st, there):
            return True
        with self.source.opened(original.real) as ours, self.opened(path) as copy:
            return _same(ours, copy)

    def holds(self, path: str, data: bytes) -> bool:
        with self.opened(path) as fd:
            return os.pread(fd, len(data) + 1, 0) == data

    @contextmanager
    def opened(self, path: str) -> Iterator[int]:
        folder, _, name = path.rpartition("/")
        fd, guard = self.way.to(folder)
        with open_file(PinnedName(path, fd, name, guard)) as file:
            yield file

    def compare_owner(self, path: str, st: os.stat_result) -> None:
        rule, is_directory = self.order.rule, stat.S_ISDIR(st.st_mode)
        mode = rule.dirs if is_directory else rule.files
        wanted = (rule.uid, rule.gid, mode)
        if (st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode)) == wanted:
            return
        if not is_directory and not stat.S_ISREG(st.st_mode):
            return
        _, guard = self.way.to(parent(path))
        sheltered = guard == "closed"
        linked = not is_directory and st.st_nlink > 1
        if linked or not (sheltered or givable(st.st_uid, rule.uid)):
            self.found.withheld.add(path)
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


def _same(one: int, other: int) -> bool:
    offset = 0
    while True:
        mine, theirs = os.pread(one, CHUNK, offset), os.pread(other, CHUNK, offset)
        if mine != theirs:
            return False
        if not mine:
            return True
        offset += len(mine)


def in_the_way(path: str, wanted: str) -> HostError:
    return HostError(
        what=f"{path} is in the way: the source has {wanted} there",
        why="it is of another kind, and not reconcile's to remove",
        fix="Move it away, or rename it in the source.",
    )
