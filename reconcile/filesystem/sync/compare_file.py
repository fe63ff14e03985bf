"""Compare one file of a copy with its original."""

from __future__ import annotations

import errno
import os
import stat
from contextlib import AbstractContextManager, nullcontext
from posixpath import join
from typing import TypeGuard

from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.openat import NO_LISTING, DirectoryCursor, Listing
from reconcile.filesystem.permissions import PermissionDeviation, may_change_owner, may_restrict
from reconcile.filesystem.read import CHUNK, open_file
from reconcile.filesystem.safe_path import PinnedName
from reconcile.filesystem.sync.manifest import SyncManifest, wait_for_tick
from reconcile.filesystem.sync.manifest_row import Signature, pack_row
from reconcile.filesystem.sync.source import NotCopied, Original, Source
from reconcile.filesystem.sync.sync_diff import ChangedSide, FileCopy, SyncDiff, SyncRequest
from reconcile.types import Encoding


class FileComparison:
    """Collects in `found` what differs, and the manifest rows of what matches."""

    def __init__(
        self,
        source: Source,
        request: SyncRequest,
        manifest: SyncManifest,
        cursor: DirectoryCursor | None,
    ) -> None:
        self.source, self.request, self.manifest, self.cursor = source, request, manifest, cursor
        self.found = SyncDiff(not_copied=source.not_copied)

    def reset(self) -> None:
        """Forget what was found so far."""
        self.source.not_copied = NotCopied()
        self.found = SyncDiff(not_copied=self.source.not_copied)

    def is_file(
        self, copy: os.stat_result | None, path: str, size: int | None = None
    ) -> TypeGuard[os.stat_result]:
        """Whether the copy is a file (of that size); each call counts one file of the total."""
        self.found.total += 1
        if copy is not None and stat.S_ISDIR(copy.st_mode):
            raise wrong_kind_in_copy(join(self.request.root, path), "a file")
        if copy is None or not stat.S_ISREG(copy.st_mode):
            return False
        return size is None or copy.st_size == size

    def record_match(
        self,
        path: str,
        original: Signature,
        copy: os.stat_result,
        *,
        is_generated: bool = False,
    ) -> None:
        """The content matches; compare owner and mode."""
        self.compare_owner(path, copy)
        digest, signature = self.manifest.digest(path), Signature.of(copy)
        row = pack_row(original, signature, digest, is_generated=is_generated)
        self.found.rows[path] = row

    def record_difference(
        self,
        path: str,
        original: Original,
        copy: os.stat_result | None,
        encoding: Encoding | None = None,
    ) -> None:
        """It has to be written, as the original or generated from it."""
        is_same = self.manifest.is_source_unchanged(path, original.signature)
        changed_side: ChangedSide = "host" if is_same else "source"
        size = original.st.st_size if encoding is None else 0
        is_new, old_size = copy is None, 0 if copy is None else copy.st_size
        self.record_replaced(path, copy)
        self.found.copies.append(
            FileCopy(
                path,
                original.source_path,
                None,
                is_new,
                old_size,
                size,
                changed_side,
                encoding,
                original.signature.packed,
            )
        )

    def record_replaced(self, path: str, copy: os.stat_result | None) -> None:
        """It is written over or removed as it is now."""
        if copy is not None:
            self.found.replaced[path] = Signature.of(copy).packed

    def is_equal(self, path: str, original: Original, copy: os.stat_result) -> bool:
        """Whether the contents are equal, by the manifest or byte by byte."""
        if self.manifest.matches_record(path, original.st, copy):
            return True
        # The row of two that are equal must not hide a change in this tick of the clock.
        wait_for_tick(max(original.st.st_ctime_ns, copy.st_ctime_ns))
        with self.source.open_file(original.source_path) as one, self.open_copy(path) as other:
            return _have_equal_content(one, other)

    def has_content(self, path: str, data: bytes) -> bool:
        """Whether the copy at `path` holds exactly `data`."""
        with self.open_copy(path) as fd:
            return os.pread(fd, len(data) + 1, 0) == data

    def list_copy(self, folder: str) -> AbstractContextManager[Listing]:
        """The names in a directory of the copy. Errors: OSError."""
        return nullcontext(NO_LISTING) if self.cursor is None else self.cursor.listing(folder)

    def open_copy(self, path: str) -> AbstractContextManager[int]:
        """The copy at `path`, open for reading."""
        return open_file(self._name(path))

    def _name(self, path: str) -> PinnedName:
        if self.cursor is None:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return self.cursor.name(path)

    def compare_owner(self, path: str, copy: os.stat_result) -> None:
        """Record an owner or mode that deviates from the policy."""
        policy, is_directory = self.request.policy, stat.S_ISDIR(copy.st_mode)
        if not is_directory and not stat.S_ISREG(copy.st_mode):
            return
        wanted = policy.ownership(is_directory)
        if (copy.st_uid, copy.st_gid, stat.S_IMODE(copy.st_mode)) == wanted:
            return
        at = self._name(path)
        if not self._is_on_this_mount(at):
            return
        is_safe = at.trust == "trusted" or may_restrict(copy, wanted)
        is_linked = not is_directory and copy.st_nlink > 1
        if is_linked or not (is_safe or may_change_owner(copy, at.dir_fd, policy.uid)):
            self.found.skipped.add(path)
            return
        deviation = PermissionDeviation.of(path, copy)
        self.found.deviations.append(deviation)

    def _is_on_this_mount(self, at: PinnedName) -> bool:
        with at.pinned() as pin:
            return self.cursor is None or self.cursor.is_on_this_mount(pin)


def _have_equal_content(one: int, other: int) -> bool:
    offset = 0
    while True:
        chunk = os.pread(one, CHUNK, offset)
        if chunk != os.pread(other, CHUNK, offset):
            return False
        if not chunk:
            return True
        offset += len(chunk)


def wrong_kind_in_copy(path: str, wanted: str) -> HostError:
    """The error for a directory in place of a file, or the reverse."""
    return in_the_way(path, wanted, "it is of another kind, which a copy does not replace")


def in_the_way(path: str, wanted: str, why: str) -> HostError:
    """The error for what a copy does not remove, at `path` or below it."""
    return HostError(
        what=f"{path} is in the way: the source has {wanted} there",
        why=why,
        fix="Move it away, or rename it in the source.",
    )
