"""Bring a copy up to date: new files written beside and renamed, in recorded batches.

New files come first, then those that refer to them, and what is no longer needed goes
last; so a visitor never gets a page before what it refers to, nor half of one.
"""

from __future__ import annotations

import os
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from posixpath import join

from reconcile.filesystem.atomic_write import write_all
from reconcile.filesystem.attributes import fd_path
from reconcile.filesystem.host_error import ChangedSincePlan, cause
from reconcile.filesystem.openat import DirectoryCursor, directory_cursor
from reconcile.filesystem.path import is_inside
from reconcile.filesystem.permissions_fix import fix_permissions
from reconcile.filesystem.place_guard import UNGUARDED, PlaceGuard
from reconcile.filesystem.read import chunks, sha256_of
from reconcile.filesystem.safe_path import closing
from reconcile.filesystem.sync.batch import BatchTarget, WriteBatch
from reconcile.filesystem.sync.clone import clone_content
from reconcile.filesystem.sync.copy_progress import OnProgress, ProgressReporter
from reconcile.filesystem.sync.files_to_write import (
    FileToWrite,
    open_original,
    read_batches,
    source_changed,
)
from reconcile.filesystem.sync.manifest import SyncManifest
from reconcile.filesystem.sync.manifest_row import (
    COPY,
    NO_COPY,
    NOT_WRITTEN,
    ORIGINAL,
    Signature,
    pack_row,
)
from reconcile.filesystem.sync.source import Source, open_source
from reconcile.filesystem.sync.sync_diff import FileCopy, SyncDiff, SyncRequest
from reconcile.filesystem.undo import Recorder


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
        for files in read_batches(source, found.copies, progress):
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
        raise ChangedSincePlan(join(request.root, left[0].path), "it was replaced")
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
    with open_original(source, copy) as fd:
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
    with open_original(source, one.copy) as original:
        if not clone_content(original, fd):
            for chunk in chunks(original):
                write_all(fd, chunk)
    with closing(os.open(fd_path(fd), os.O_RDONLY | os.O_CLOEXEC)) as written:
        if sha256_of(written) != one.digest:
            raise source_changed(source, one.copy)
