"""Bring a copy up to date: new files written beside and renamed, in recorded batches.

New files come first, then those that refer to them, and what is no longer needed goes
last; so a visitor never gets a page before what it refers to, nor half of one.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from posixpath import join

from reconcile.filesystem.atomic_write import write_all
from reconcile.filesystem.attributes import fd_path
from reconcile.filesystem.compress import compressed
from reconcile.filesystem.host_error import ChangedSincePlan, cause
from reconcile.filesystem.openat import DirectoryCursor, directory_cursor
from reconcile.filesystem.path import is_inside
from reconcile.filesystem.permissions_fix import fix_permissions
from reconcile.filesystem.place_guard import UNGUARDED, PlaceGuard
from reconcile.filesystem.read import chunks, sha256_of
from reconcile.filesystem.safe_path import closing
from reconcile.filesystem.sync.batch import BatchTarget, WriteBatch
from reconcile.filesystem.sync.manifest import (
    COPY,
    NO_COPY,
    NOT_WRITTEN,
    ORIGINAL,
    Signature,
    SyncManifest,
    pack_row,
)
from reconcile.filesystem.sync.source import Source, open_source
from reconcile.filesystem.sync.sync_diff import FileCopy, SyncDiff, SyncRequest
from reconcile.filesystem.undo import Recorder

LARGE = 4 << 20
"""Bytes above which a file is streamed, and not held in memory."""
BATCH_FILES = 2_000
BATCH_BYTES = 64 << 20
QUIET_S, EVERY_S = 0.7, 0.2
REFERRING = (".css", ".js", ".mjs", ".json", ".webmanifest")
PAGES = (".html", ".htm", ".xhtml")

FICLONE = 0x40049409
CLONE_BYTES = 1 << 30
"""Bytes requested of copy_file_range at once."""
CANNOT_CLONE = {
    *(errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOTTY, errno.EPERM),
    *(errno.ETXTBSY, errno.EBADF),
}
"""The kernel, a filesystem or a sandbox does not support it for these two files."""

MOVED = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.EINVAL}
"""The name holds no regular file any more."""

OnProgress = Callable[[int, int], None]
"""Called with how many files of how many are written."""


@dataclass(frozen=True)
class FileToWrite:
    """A file to be written: its bytes (None: streamed), their digest, its original's facts."""

    copy: FileCopy
    data: bytes | None
    digest: bytes
    original: Signature
    is_smaller: bool = True
    """Whether it is worth writing: not what compressing does not make smaller."""


class ProgressReporter:
    """Counts the files that are written, for `on_progress`; silent while a copy is short."""

    def __init__(self, on_progress: OnProgress | None, total: int) -> None:
        self._on_progress, self._total, self._done = on_progress, total, 0
        self._next_s = time.monotonic() + QUIET_S

    def add(self, count: int) -> None:
        """Count `count` more files."""
        self._done += count
        if self._on_progress is not None and time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + EVERY_S
            self._on_progress(self._done, self._total)


def sync(
    recorder: Recorder | None,
    manifest: SyncManifest,
    request: SyncRequest,
    found: SyncDiff,
    on_progress: OnProgress | None = None,
    guard: PlaceGuard = UNGUARDED,
) -> None:
    """Do what the comparison `found`, all of it and nothing else; save what was written.

    Errors: ChangedSincePlan where the source or the copy is not as it was compared.
    """
    rows = found.rows | _fix_deviations(recorder, request, found, guard)
    newest_ns = time.time_ns() if found.deviations else 0
    with (
        _open_source(request.source, guard, refuse=True) as source,
        directory_cursor(request.root, guard) as cursor,
    ):
        leaving = (*found.cleared_folders, *found.extraneous_folders)
        batch = WriteBatch(recorder, request.root, cursor, found.replaced, leaving)
        batch.remove_files(found.cleared)
        batch.remove_empty_directories(found.cleared_folders)
        batch.create_directories(found.folders, request.policy)
        # First, so that no stale sibling outlives the file it was made of.
        batch.remove_files(list(found.stale))
        progress = ProgressReporter(on_progress, len(found.copies))
        for files in _batches(source, found.copies, progress):
            rows |= _write_files(batch, source, request, files, progress)
            newest_ns = max(newest_ns, time.time_ns())
        batch.remove_files(found.extraneous)
        batch.remove_empty_directories(found.extraneous_folders)
        is_copied = partial(_is_copied, request, cursor)
        manifest.update(
            recorder,
            *(rows, found.unconfirmed, found.folders, newest_ns, is_copied),
            dropped=found.retained,
        )


@contextmanager
def _open_source(path: str, guard: PlaceGuard, *, refuse: bool = False) -> Iterator[Source]:
    with ExitStack() as stack:
        try:
            source = stack.enter_context(open_source(path, guard, refuse=refuse))
        except (FileNotFoundError, NotADirectoryError) as error:
            raise ChangedSincePlan(path, cause(error)) from error
        yield source


def _fix_deviations(
    recorder: Recorder | None, request: SyncRequest, found: SyncDiff, guard: PlaceGuard
) -> dict[str, bytes]:
    """Fix owners and modes; return the rows of these files, whose ctimes are new."""
    if not found.deviations:
        return {}
    left = fix_permissions(recorder, request.root, request.policy, found.deviations, guard)
    if left:
        raise ChangedSincePlan(join(request.root, left[0].path), "it is another one now")
    with directory_cursor(request.root) as cursor:
        paths = (one.path for one in found.deviations if one.path in found.rows)
        return {path: _row_after_fix(cursor, path, found.rows[path]) for path in paths}


def _row_after_fix(cursor: DirectoryCursor, path: str, row: bytes) -> bytes:
    st = cursor.name(path).stat()
    now = None if st is None else Signature.of(st)
    if now is None or now.content != Signature.unpack(row[COPY]).content:
        raise ChangedSincePlan(cursor.name(path).path, "another process wrote or replaced it")
    return row[ORIGINAL] + now.packed + row[COPY.stop :]


def _is_copied(request: SyncRequest, cursor: DirectoryCursor, folder: str) -> bool:
    """Whether `folder` is in the copy, and no other resource manages it."""
    if any(is_inside(f"/{folder}", f"/{excluded}") for excluded in request.excluded):
        return False
    try:
        cursor.enter(folder)
    except OSError:
        return False
    return True


def with_digests(request: SyncRequest, found: SyncDiff, guard: PlaceGuard = UNGUARDED) -> SyncDiff:
    """`found`, bound to the contents that it publishes. Errors: ChangedSincePlan."""
    with _open_source(request.source, guard) as source:
        return replace(found, copies=[_with_digest(source, copy) for copy in found.copies])


def _with_digest(source: Source, copy: FileCopy) -> FileCopy:
    if copy.data is not None:
        return copy
    with _open_original(source, copy) as fd:
        return copy._replace(digest=sha256_of(fd))


def remove_synced(
    recorder: Recorder | None,
    manifest: SyncManifest,
    root: str,
    spared: Collection[str] = (),
    guard: PlaceGuard = UNGUARDED,
) -> None:
    """Remove what reconcile wrote and nobody has changed since, then empty directories of it."""
    written = {
        path: digest for path, digest in manifest.written_files().items() if path not in spared
    }
    with directory_cursor(root, guard) as cursor:
        leaving = manifest.folders.difference(spared)
        batch = WriteBatch(recorder, root, cursor, leaving=leaving)
        batch.remove_files(batch.unmodified(written))
        batch.remove_empty_directories(leaving)
    manifest.delete(recorder)


def _batches(
    source: Source, copies: Sequence[FileCopy], progress: ProgressReporter
) -> Iterator[list[FileToWrite]]:
    batch: list[FileToWrite] = []
    size = 0
    for group in _groups(copies):
        loaded = _load(source, group)
        # Compressing is what takes time for these; for the others, writing.
        progress.add(sum(copy.encoding is not None for copy in group))
        batch += loaded
        size += sum(len(one.data or b"") for one in loaded)
        if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _groups(copies: Sequence[FileCopy]) -> list[list[FileCopy]]:
    """Each file with its compressed siblings, in the order in which they are published."""
    groups: dict[str, list[FileCopy]] = {}
    for copy in sorted(copies, key=lambda one: one.encoding or ""):
        groups.setdefault(copy.file, []).append(copy)
    return sorted(groups.values(), key=_rank)


def _rank(group: Sequence[FileCopy]) -> tuple[int, bool, bytes]:
    """What is referred to before what refers to it, new before changed."""
    first = group[0]
    path = first.file.lower()
    rank = 2 if path.endswith(PAGES) else 1 if path.endswith(REFERRING) else 0
    return rank, not first.is_new, os.fsencode(first.file)


def _load(source: Source, group: Sequence[FileCopy]) -> list[FileToWrite]:
    """A file and its siblings, all read at once."""
    first = group[0]
    if first.data is not None:
        facts = Signature(len(first.data), 0, 0, 0)
        return [_file_to_write(copy, first.data, facts) for copy in group]
    is_compressed = any(copy.encoding for copy in group)
    with _open_original(source, first) as fd:
        before = Signature.of(os.fstat(fd))
        if before.size > LARGE and not is_compressed:
            digest = _expected_digest(source, first, sha256_of(fd))
            return [FileToWrite(first, None, digest, before)]
        data = b"".join(chunks(fd))
        if Signature.of(os.fstat(fd)) != before or len(data) != before.size:
            raise _source_changed(source, first)
    if first.digest:
        _expected_digest(source, first, sha256(data).digest())
    return [_file_to_write(copy, data, before) for copy in group]


@contextmanager
def _open_original(source: Source, copy: FileCopy) -> Iterator[int]:
    """The file that was compared, open. Errors: ChangedSincePlan where it is another one now."""
    with ExitStack() as stack:
        try:
            fd = stack.enter_context(source.open_file(copy.source_path))
        except OSError as error:
            if error.errno not in MOVED:
                raise
            raise ChangedSincePlan(source.path_of(copy.source_path), cause(error)) from error
        if not _is_as_compared(Signature.of(os.fstat(fd)), copy):
            raise _source_changed(source, copy)
        yield fd


def _is_as_compared(now: Signature, copy: FileCopy) -> bool:
    """By its ctime; where its digest is known, a new owner or mode is nothing new to read."""
    then = Signature.unpack(copy.original)
    return now == then or bool(copy.digest and now.content == then.content)


def _expected_digest(source: Source, copy: FileCopy, digest: bytes) -> bytes:
    if copy.digest not in (b"", digest):
        raise _source_changed(source, copy)
    return digest


def _file_to_write(copy: FileCopy, data: bytes, original: Signature) -> FileToWrite:
    if copy.encoding is None:
        return FileToWrite(copy, data, sha256(data).digest(), original)
    small = compressed(copy.encoding, data)
    return FileToWrite(copy, small, sha256(small).digest(), original, len(small) < len(data))


def _source_changed(source: Source, copy: FileCopy) -> ChangedSincePlan:
    path = source.path_of(copy.source_path)
    return ChangedSincePlan(path, "another process wrote or replaced it, such as a build")


def _write_files(
    batch: WriteBatch,
    source: Source,
    request: SyncRequest,
    files: Sequence[FileToWrite],
    progress: ProgressReporter,
) -> dict[str, bytes]:
    """Publish the files; return path → its manifest row."""
    incompressible = [one for one in files if not one.is_smaller]
    batch.remove_files([one.copy.path for one in incompressible if not one.copy.is_new])
    written = [one for one in files if one.is_smaller]
    targets = [
        BatchTarget(
            one.copy.path, f"sha256:{one.digest.hex()}", partial(_fill, source, one, progress)
        )
        for one in written
    ]
    signatures = batch.write_files(targets, request.policy)
    return {one.copy.path: _row(one, signatures[one.copy.path], one.digest) for one in written} | {
        one.copy.path: _row(one, NO_COPY, NOT_WRITTEN) for one in incompressible
    }


def _row(one: FileToWrite, copy: Signature, digest: bytes) -> bytes:
    return pack_row(one.original, copy, digest, is_generated=one.copy.encoding is not None)


def _fill(source: Source, one: FileToWrite, progress: ProgressReporter, fd: int) -> None:
    progress.add(one.copy.encoding is None)
    if one.data is not None:
        write_all(fd, one.data)
        return
    with _open_original(source, one.copy) as original:
        if not clone_content(original, fd):
            for chunk in chunks(original):
                write_all(fd, chunk)
    with closing(os.open(fd_path(fd), os.O_RDONLY | os.O_CLOEXEC)) as written:
        if sha256_of(written) != one.digest:
            raise _source_changed(source, one.copy)


def clone_content(original: int, copy: int) -> bool:
    """Fill the empty file `copy` inside the kernel; False, and still empty, if unsupported.

    Where the filesystem can (btrfs, XFS), the copy shares the original's blocks and takes no
    space until one of them changes. Source: ioctl_ficlone(2), copy_file_range(2).
    Errors: OSError where writing itself fails (ENOSPC, EIO).
    """
    try:
        if not _share_blocks(original, copy):
            _copy_range(original, copy)
    except OSError as error:
        if error.errno not in CANNOT_CLONE:
            raise
        os.ftruncate(copy, 0)
        for fd in (original, copy):
            os.lseek(fd, 0, os.SEEK_SET)
        return False
    return True


def _share_blocks(original: int, copy: int) -> bool:
    try:
        fcntl.ioctl(copy, FICLONE, original)
    except OSError as error:
        if error.errno not in CANNOT_CLONE:
            raise
        return False
    return True


def _copy_range(original: int, copy: int) -> None:
    size = os.fstat(original).st_size
    for start, end in _data_ranges(original):
        done = os.lseek(copy, start, os.SEEK_SET)
        while count := os.copy_file_range(
            original, copy, min(CLONE_BYTES, end - done), offset_src=done
        ):
            done += count
    os.ftruncate(copy, size)


def _data_ranges(original: int) -> Iterator[tuple[int, int]]:
    """From where to where there is data: holes, which take no space, are left out.

    Source: lseek(2), SEEK_DATA and SEEK_HOLE.
    """
    found, end = os.fstat(original), 0
    if found.st_blocks * 512 >= found.st_size:
        yield 0, found.st_size
        return
    while end < found.st_size:
        try:
            start = os.lseek(original, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return
        end = os.lseek(original, start, os.SEEK_HOLE)
        yield start, end
