"""The contents that a copy writes, read in batches, each only as it was compared."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from hashlib import sha256

from reconcile.filesystem.compress import compressed
from reconcile.filesystem.host_error import ChangedSincePlan, cause
from reconcile.filesystem.read import chunks, sha256_of
from reconcile.filesystem.sync.copy_progress import ProgressReporter
from reconcile.filesystem.sync.manifest_row import Signature
from reconcile.filesystem.sync.source import Source
from reconcile.filesystem.sync.sync_diff import FileCopy

LARGE = 4 << 20
"""Bytes above which a file is streamed, and not held in memory."""
BATCH_FILES = 2_000
BATCH_BYTES = 64 << 20
REFERRING = (".css", ".js", ".mjs", ".json", ".webmanifest")
PAGES = (".html", ".htm", ".xhtml")
MOVED = {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EISDIR, errno.EINVAL}
"""The name holds no regular file any more."""


@dataclass(frozen=True)
class FileToWrite:
    """A file to be written: its bytes (None: streamed), their digest, its original's facts."""

    copy: FileCopy
    data: bytes | None
    digest: bytes
    original: Signature
    is_smaller: bool = True
    """Whether it is worth writing: not what compressing does not make smaller."""


def read_batches(
    source: Source, copies: Sequence[FileCopy], progress: ProgressReporter
) -> Iterator[list[FileToWrite]]:
    """The files to write, in the order in which they are published; errors: ChangedSincePlan."""
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
    with open_original(source, first) as fd:
        before = Signature.of(os.fstat(fd))
        if before.size > LARGE and not is_compressed:
            digest = _expected_digest(source, first, sha256_of(fd))
            return [FileToWrite(first, None, digest, before)]
        data = b"".join(chunks(fd))
        if Signature.of(os.fstat(fd)) != before or len(data) != before.size:
            raise source_changed(source, first)
    if first.digest:
        _expected_digest(source, first, sha256(data).digest())
    return [_file_to_write(copy, data, before) for copy in group]


@contextmanager
def open_original(source: Source, copy: FileCopy) -> Iterator[int]:
    """The file that was compared, open. Errors: ChangedSincePlan where it was replaced."""
    with ExitStack() as stack:
        try:
            fd = stack.enter_context(source.open_file(copy.source_path))
        except OSError as error:
            if error.errno not in MOVED:
                raise
            raise ChangedSincePlan(source.path_of(copy.source_path), cause(error)) from error
        if not _is_as_compared(Signature.of(os.fstat(fd)), copy):
            raise source_changed(source, copy)
        yield fd


def _is_as_compared(now: Signature, copy: FileCopy) -> bool:
    """By its ctime; where its digest is known, a new owner or mode is nothing new to read."""
    then = Signature.unpack(copy.original)
    return now == then or bool(copy.digest and now.content == then.content)


def _expected_digest(source: Source, copy: FileCopy, digest: bytes) -> bytes:
    if copy.digest not in (b"", digest):
        raise source_changed(source, copy)
    return digest


def _file_to_write(copy: FileCopy, data: bytes, original: Signature) -> FileToWrite:
    if copy.encoding is None:
        return FileToWrite(copy, data, sha256(data).digest(), original)
    small = compressed(copy.encoding, data)
    return FileToWrite(copy, small, sha256(small).digest(), original, len(small) < len(data))


def source_changed(source: Source, copy: FileCopy) -> ChangedSincePlan:
    """The error for an original that is not as it was compared."""
    path = source.path_of(copy.source_path)
    return ChangedSincePlan(path, "another process wrote or replaced it, such as a build")
