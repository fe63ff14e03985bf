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

from reconcile.filesystem.attributes import by_descriptor
from reconcile.filesystem.compress import compressed
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.openat import descent
from reconcile.filesystem.path import as_bytes
from reconcile.filesystem.permissions import mend
from reconcile.filesystem.read import chunks
from reconcile.filesystem.sync.batch import Batch, Target
from reconcile.filesystem.sync.compare_tree import survey
from reconcile.filesystem.sync.manifest import NO_COPY, NOT_OURS, Signature, SyncManifest, row
from reconcile.filesystem.sync.source import Source, source
from reconcile.filesystem.sync.sync_diff import Copy, SyncDiff, SyncRequest

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
class Delivery:
    """A file to be written: its bytes (None: streamed), their digest, and their origin's facts."""

    copy: Copy
    data: bytes | None
    digest: bytes
    original: Signature
    is_gain: bool = True
    """Whether it is worth writing: what compressing does not make smaller is not."""


class Steps:
    """Counts the files that are done, for `host.copied`; quiet while a copy is short."""

    def __init__(self, host: Host, total: int) -> None:
        self._host, self._total, self._done = host, total, 0
        self._next_s = time.monotonic() + QUIET_S

    def add(self, count: int) -> None:
        self._done += count
        if self._host.on_copy_progress is not None and time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + EVERY_S
            self._host.on_copy_progress(self._done, self._total)


def ship(host: Host, order: SyncRequest) -> None:
    """Make the copy what `order` asks for, and remember what was written."""
    shipped = SyncManifest(host, order.root)
    found, newest_ns = survey(order, shipped, remember=True), 0
    if found.deviations:
        mend(host, order.root, order.rule, found.deviations)
        # Their ctimes are new, so what is to be remembered of them is only known now.
        found, newest_ns = survey(order, shipped, remember=True), time.time_ns()
    rows = {path: known for path in found.settled if (known := shipped.row(path))} | found.rows
    with source(order.source) as ours, descent(order.root) as way:
        batch = Batch(host, order.root, way)
        batch.make_folders(found.folders, order.rule)
        # First, so that no stale sibling outlives the file it was made of.
        batch.remove(list(found.stale))
        steps = Steps(host, len(found.copies))
        for deliveries in _batches(ours, found.copies, steps):
            rows |= _deliver(batch, ours, order, deliveries, steps)
            newest_ns = max(newest_ns, time.time_ns())
    _prune(host, order, found)
    shipped.save(rows, shipped.folders | frozenset(found.folders), newest_ns)


def _prune(host: Host, order: SyncRequest, found: SyncDiff) -> None:
    with descent(order.root) as way:
        batch = Batch(host, order.root, way)
        batch.remove(found.surplus)
        batch.remove_folders(found.surplus_folders)


def withdraw(host: Host, root: str) -> None:
    """Remove every file that we wrote and nobody has changed since, then empty directories."""
    shipped = SyncManifest(host, root)
    with descent(root) as way:
        batch = Batch(host, root, way)
        batch.remove(batch.still_holding(shipped.ours()))
        batch.remove_folders(shipped.folders)
    shipped.forget()


def _rank(group: Sequence[Copy]) -> tuple[int, bool, bytes]:
    """New before changed, what is referred to before what refers."""
    first = group[0]
    path = first.file.lower()
    rank = 2 if path.endswith(PAGES) else 1 if path.endswith(REFERRING) else 0
    return rank, not first.is_new, as_bytes(first.file)


def _groups(copies: Sequence[Copy]) -> list[list[Copy]]:
    """Each file with its compressed siblings, in the order in which they are published."""
    groups: dict[str, list[Copy]] = {}
    for copy in sorted(copies, key=lambda one: one.encoding or ""):
        groups.setdefault(copy.file, []).append(copy)
    return sorted(groups.values(), key=_rank)


def _batches(ours: Source, copies: Sequence[Copy], steps: Steps) -> Iterator[list[Delivery]]:
    batch: list[Delivery] = []
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


def _load(ours: Source, group: Sequence[Copy]) -> list[Delivery]:
    """A file and its siblings, all of one reading."""
    first = group[0]
    if first.data is not None:
        facts = Signature(len(first.data), 0, 0, 0)
        return [Delivery(first, first.data, sha256(first.data).digest(), facts)]
    is_packed = any(copy.encoding for copy in group)
    with ours.opened(first.real) as fd:
        before = Signature.of(os.fstat(fd))
        if before.size > LARGE and not is_packed:
            return [Delivery(first, None, _digest(fd), before)]
        data = b"".join(chunks(fd))
        if Signature.of(os.fstat(fd)) != before or len(data) != before.size:
            raise _moving(first)
    return [_delivery(copy, data, before) for copy in group]


def _delivery(copy: Copy, data: bytes, original: Signature) -> Delivery:
    if copy.encoding is None:
        return Delivery(copy, data, sha256(data).digest(), original)
    packed = compressed(copy.encoding, data)
    is_gain = len(packed) < len(data)
    return Delivery(copy, packed, sha256(packed).digest(), original, is_gain)


def _digest(fd: int) -> bytes:
    running = sha256()
    for chunk in chunks(fd):
        running.update(chunk)
    return running.digest()


def _moving(copy: Copy) -> HostError:
    return HostError(
        what=f"{copy.real} in the source changes while it is copied",
        why="somebody writes to it",
        fix="Let the build finish, then apply again.",
    )


def _deliver(
    batch: Batch, ours: Source, order: SyncRequest, deliveries: Sequence[Delivery], steps: Steps
) -> dict[str, bytes]:
    """Publish them; path → what is to be remembered."""
    futile = [one for one in deliveries if not one.is_gain]
    batch.remove([one.copy.path for one in futile if not one.copy.is_new])
    gains = [one for one in deliveries if one.is_gain]
    targets = [
        Target(one.copy.path, f"sha256:{one.digest.hex()}", partial(_fill, ours, one, steps))
        for one in gains
    ]
    seen = batch.deliver(targets, order.rule)
    return {one.copy.path: _row(one, seen[one.copy.path], one.digest) for one in gains} | {
        one.copy.path: _row(one, NO_COPY, NOT_OURS) for one in futile
    }


def _row(one: Delivery, copy: Signature, digest: bytes) -> bytes:
    return row(one.original, copy, digest, is_made=one.copy.encoding is not None)


def _fill(ours: Source, one: Delivery, steps: Steps, fd: int) -> None:
    steps.add(one.copy.encoding is None)
    if one.data is not None:
        _write(fd, one.data)
        return
    with ours.opened(one.copy.real) as original:
        if not cloned(original, fd):
            for chunk in chunks(original):
                _write(fd, chunk)
    if _written(fd) != one.digest:
        raise _moving(one.copy)


def _written(fd: int) -> bytes:
    """The digest of what a file that is open for writing holds now."""
    again = os.open(by_descriptor(fd), os.O_RDONLY | os.O_CLOEXEC)
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


def cloned(original: int, copy: int) -> bool:
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
