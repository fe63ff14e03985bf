"""Making a copy true: written beside and renamed, in batches, each recorded beforehand.

New files come first, then those that refer to them, and what nobody needs any
more goes last; so a visitor never gets a page before what it is made of, nor
half of one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

from reconcile.filesystem.attributes import fd_path
from reconcile.filesystem.compress import compressed
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.openat import directory_cursor
from reconcile.filesystem.path import as_bytes
from reconcile.filesystem.permissions import fix_permissions
from reconcile.filesystem.read import chunks
from reconcile.filesystem.sync.batch import BatchTarget, WriteBatch
from reconcile.filesystem.sync.compare_tree import compare_tree
from reconcile.filesystem.sync.manifest import NO_COPY, NOT_OURS, Signature, SyncManifest, pack_row
from reconcile.filesystem.sync.source import Source, open_source
from reconcile.filesystem.sync.sync_diff import FileCopy, SyncDiff, SyncRequest

if TYPE_CHECKING:
    from reconcile.system import Host


import errno

LARGE = 4 << 20
"""Bytes above which a file is streamed, and not held in memory."""
BATCH_FILES = 2_000
BATCH_BYTES = 64 << 20
QUIET_S, EVERY_S = 0.7, 0.2
REFERRING = (".css", ".js", ".mjs", ".json", ".webmanifest")
PAGES = (".html", ".htm", ".xhtml")


@dataclass(frozen=True)
class FileToWrite:
    """A file to be written: its bytes (None: streamed), their digest, and their origin's facts."""

    copy: FileCopy
    data: bytes | None
    digest: bytes
    original: Signature
    compresses: bool = True
    """Whether it is worth writing: what compressing does not make smaller is not."""


class ProgressReporter:
    """Counts the files that are done, for `host.copied`; quiet while a copy is short."""

    def __init__(self, host: Host, total: int) -> None:
        self._host, self._total, self._done = host, total, 0
        self._next_s = time.monotonic() + QUIET_S

    def add(self, count: int) -> None:
        self._done += count
        if self._host.on_copy_progress is not None and time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + EVERY_S
            self._host.on_copy_progress(self._done, self._total)


def sync(host: Host, order: SyncRequest) -> None:
    """Make the copy what `order` asks for, and remember what was written."""
    shipped = SyncManifest(host, order.root)
    found, newest_ns = compare_tree(order, shipped, remember=True), 0
    if found.deviations:
        fix_permissions(host, order.root, order.policy, found.deviations)
        # Their ctimes are new, so what is to be remembered of them is only known now.
        found, newest_ns = compare_tree(order, shipped, remember=True), time.time_ns()
    rows = {path: known for path in found.unchanged if (known := shipped.row(path))} | found.rows
    with open_source(order.source) as ours, directory_cursor(order.root) as way:
        batch = WriteBatch(host, order.root, way)
        batch.create_directories(found.folders, order.policy)
        # First, so that no stale sibling outlives the file it was made of.
        batch.remove_files(list(found.stale))
        steps = ProgressReporter(host, len(found.copies))
        for deliveries in _batches(ours, found.copies, steps):
            rows |= _write_files(batch, ours, order, deliveries, steps)
            newest_ns = max(newest_ns, time.time_ns())
    _prune(host, order, found)
    shipped.save(rows, shipped.folders | frozenset(found.folders), newest_ns)


def _prune(host: Host, order: SyncRequest, found: SyncDiff) -> None:
    with directory_cursor(order.root) as way:
        batch = WriteBatch(host, order.root, way)
        batch.remove_files(found.extraneous)
        batch.remove_empty_directories(found.extraneous_folders)


def remove_synced(host: Host, root: str) -> None:
    """Remove every file that we wrote and nobody has changed since, then empty directories."""
    shipped = SyncManifest(host, root)
    with directory_cursor(root) as way:
        batch = WriteBatch(host, root, way)
        batch.remove_files(batch.unmodified(shipped.our_files()))
        batch.remove_empty_directories(shipped.folders)
    shipped.delete()


def _rank(group: Sequence[FileCopy]) -> tuple[int, bool, bytes]:
    """New before changed, what is referred to before what refers."""
    first = group[0]
    path = first.file.lower()
    rank = 2 if path.endswith(PAGES) else 1 if path.endswith(REFERRING) else 0
    return rank, not first.is_new, as_bytes(first.file)


def _groups(copies: Sequence[FileCopy]) -> list[list[FileCopy]]:
    """Each file with its compressed siblings, in the order in which they are published."""
    groups: dict[str, list[FileCopy]] = {}
    for copy in sorted(copies, key=lambda one: one.encoding or ""):
        groups.setdefault(copy.file, []).append(copy)
    return sorted(groups.values(), key=_rank)


def _batches(
    ours: Source, copies: Sequence[FileCopy], steps: ProgressReporter
) -> Iterator[list[FileToWrite]]:
    batch: list[FileToWrite] = []
    size = 0
    for group in _groups(copies):
        loaded = _load(ours, group)
        # Of those, compressing is what takes time; of the others, writing.
        steps.add(sum(copy.encoding is not None for copy in group))
        batch += loaded
        size += sum(len(one.data or b"") for one in loaded)
        if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _load(ours: Source, group: Sequence[FileCopy]) -> list[FileToWrite]:
    """A file and its siblings, all of one reading."""
    first = group[0]
    if first.data is not None:
        facts = Signature(len(first.data), 0, 0, 0)
        return [FileToWrite(first, first.data, sha256(first.data).digest(), facts)]
    is_packed = any(copy.encoding for copy in group)
    with ours.open_file(first.source_path) as fd:
        before = Signature.of(os.fstat(fd))
        if before.size > LARGE and not is_packed:
            return [FileToWrite(first, None, _digest(fd), before)]
        data = b"".join(chunks(fd))
        if Signature.of(os.fstat(fd)) != before or len(data) != before.size:
            raise _source_changing(first)
    return [_delivery(copy, data, before) for copy in group]


def _delivery(copy: FileCopy, data: bytes, original: Signature) -> FileToWrite:
    if copy.encoding is None:
        return FileToWrite(copy, data, sha256(data).digest(), original)
    packed = compressed(copy.encoding, data)
    is_gain = len(packed) < len(data)
    return FileToWrite(copy, packed, sha256(packed).digest(), original, is_gain)


def _digest(fd: int) -> bytes:
    running = sha256()
    for chunk in chunks(fd):
        running.update(chunk)
    return running.digest()


def _source_changing(copy: FileCopy) -> HostError:
    return HostError(
        what=f"{copy.source_path} in the source changes while it is copied",
        why="somebody writes to it",
        fix="Let the build finish, then apply again.",
    )


def _write_files(
    batch: WriteBatch,
    ours: Source,
    order: SyncRequest,
    deliveries: Sequence[FileToWrite],
    steps: ProgressReporter,
) -> dict[str, bytes]:
    """Publish them; path → what is to be remembered."""
    futile = [one for one in deliveries if not one.compresses]
    batch.remove_files([one.copy.path for one in futile if not one.copy.is_new])
    gains = [one for one in deliveries if one.compresses]
    targets = [
        BatchTarget(one.copy.path, f"sha256:{one.digest.hex()}", partial(_fill, ours, one, steps))
        for one in gains
    ]
    seen = batch.write_files(targets, order.policy)
    return {one.copy.path: _manifest_row(one, seen[one.copy.path], one.digest) for one in gains} | {
        one.copy.path: _manifest_row(one, NO_COPY, NOT_OURS) for one in futile
    }


def _manifest_row(one: FileToWrite, copy: Signature, digest: bytes) -> bytes:
    return pack_row(one.original, copy, digest, is_made=one.copy.encoding is not None)


def _fill(ours: Source, one: FileToWrite, steps: ProgressReporter, fd: int) -> None:
    steps.add(one.copy.encoding is None)
    if one.data is not None:
        _write(fd, one.data)
        return
    with ours.open_file(one.copy.source_path) as original:
        if not clone_content(original, fd):
            for chunk in chunks(original):
                _write(fd, chunk)
    if _digest_written(fd) != one.digest:
        raise _source_changing(one.copy)


def _digest_written(fd: int) -> bytes:
    """The digest of what a file that is open for writing holds now."""
    again = os.open(fd_path(fd), os.O_RDONLY | os.O_CLOEXEC)
    try:
        return _digest(again)
    finally:
        os.close(again)


def _write(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


FICLONE = 0x40049409
MOST = 1 << 30
"""Bytes asked for at once."""
CANNOT = {
    *(errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOTTY, errno.EPERM),
    *(errno.ETXTBSY, errno.EBADF),
}
"""The kernel, a filesystem or a sandbox does not do it for these two files."""


def clone_content(original: int, copy: int) -> bool:
    """Fill the empty file `copy`; False, and it is empty still, where that cannot be done.

    Errors: OSError where writing fails for good (ENOSPC, EIO).
    """
    try:
        if not _shares_blocks(original, copy):
            _copy(original, copy)
    except OSError as error:
        if error.errno not in CANNOT:
            raise
        os.ftruncate(copy, 0)
        os.lseek(copy, 0, os.SEEK_SET)
        return False
    return True


def _shares_blocks(original: int, copy: int) -> bool:
    import fcntl

    try:
        fcntl.ioctl(copy, FICLONE, original)
    except OSError as error:
        if error.errno not in CANNOT:
            raise
        return False
    return True


def _copy(original: int, copy: int) -> None:
    done = 0
    while count := os.copy_file_range(original, copy, MOST, offset_src=done):
        done += count
