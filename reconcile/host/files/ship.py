"""Making a copy true: written beside and renamed, in batches, each recorded beforehand.

New files come first, then those that refer to them, and what nobody needs any
more goes last; so a visitor never gets a page before what it is made of, nor
half of one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING

from reconcile.host.errors import HostError
from reconcile.host.files.batch import Batch, Target
from reconcile.host.files.mend import descent, mend
from reconcile.host.files.names import as_bytes
from reconcile.host.files.read import CHUNK
from reconcile.host.files.shipped import Shipped, Signature, row
from reconcile.host.files.source import Source, source
from reconcile.host.files.survey import Copy, Order, Survey
from reconcile.host.files.surveyor import survey

if TYPE_CHECKING:
    from reconcile.host import Host

LARGE = 4 << 20
"""Bytes above which a file is streamed, and not held in memory."""
BATCH_FILES = 2_000
BATCH_BYTES = 64 << 20
REFERRING = (".css", ".js", ".mjs", ".json", ".webmanifest")
PAGES = (".html", ".htm", ".xhtml")


@dataclass(frozen=True)
class Delivery:
    """A file to be written: its bytes (None: streamed), their digest, and their origin's facts."""

    copy: Copy
    data: bytes | None
    digest: bytes
    original: Signature


def ship(host: Host, order: Order) -> None:
    """Make the copy what `order` asks for, and remember what was written."""
    shipped = Shipped(host, order.root)
    found = survey(order, shipped, remember=True)
    newest_ns = 0
    with source(order.source) as ours, descent(order.root) as way:
        batch = Batch(host, order.root, way)
        batch.make_folders(found.folders, order.rule)
        # First, so that no stale sibling outlives the file it was made of.
        batch.remove(list(found.stale))
        for deliveries in _batches(ours, found.copies):
            for path, original, copy, digest in _deliver(batch, ours, order, deliveries):
                found.rows[path] = row(original, copy, digest)
                newest_ns = max(newest_ns, copy.ctime_ns)
    mend(host, order.root, order.rule, found.deviations)
    _prune(host, order, found)
    shipped.save(found.rows, shipped.folders | frozenset(found.folders), newest_ns)


def _prune(host: Host, order: Order, found: Survey) -> None:
    with descent(order.root) as way:
        batch = Batch(host, order.root, way)
        batch.remove(found.surplus)
        batch.remove_folders(found.surplus_folders)


def withdraw(host: Host, root: str) -> None:
    """Remove every file that we wrote and nobody has changed since, then empty directories."""
    shipped = Shipped(host, root)
    with descent(root) as way:
        batch = Batch(host, root, way)
        batch.remove(batch.still_holding(shipped.ours()))
        batch.remove_folders(shipped.folders)
    shipped.forget()


def _rank(copy: Copy) -> tuple[int, bool, bytes]:
    """New before changed, what is referred to before what refers."""
    path = copy.path.lower()
    rank = 2 if path.endswith(PAGES) else 1 if path.endswith(REFERRING) else 0
    return rank, not copy.is_new, as_bytes(copy.path)


def _batches(ours: Source, copies: Sequence[Copy]) -> Iterator[list[Delivery]]:
    batch: list[Delivery] = []
    size = 0
    for copy in sorted(copies, key=_rank):
        batch.append(_load(ours, copy))
        size += len(batch[-1].data or b"")
        if len(batch) >= BATCH_FILES or size >= BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _load(ours: Source, copy: Copy) -> Delivery:
    if copy.data is not None:
        facts = Signature(len(copy.data), 0, 0, 0)
        return Delivery(copy, copy.data, sha256(copy.data).digest(), facts)
    with ours.opened(copy.real) as fd:
        before = Signature.of(os.fstat(fd))
        if before.size > LARGE:
            return Delivery(copy, None, _digest(fd), before)
        data = b"".join(_chunks(fd))
        if Signature.of(os.fstat(fd)) != before or len(data) != before.size:
            raise _moving(copy)
    return Delivery(copy, data, sha256(data).digest(), before)


def _chunks(fd: int) -> Iterator[bytes]:
    offset = 0
    while chunk := os.pread(fd, CHUNK, offset):
        yield chunk
        offset += len(chunk)


def _digest(fd: int) -> bytes:
    running = sha256()
    for chunk in _chunks(fd):
        running.update(chunk)
    return running.digest()


def _moving(copy: Copy) -> HostError:
    return HostError(
        what=f"{copy.real} in the source changes while it is copied",
        why="somebody writes to it",
        fix="Let the build finish, then apply again.",
    )


def _deliver(
    batch: Batch, ours: Source, order: Order, deliveries: Sequence[Delivery]
) -> Iterator[tuple[str, Signature, Signature, bytes]]:
    targets = [
        Target(one.copy.path, f"sha256:{one.digest.hex()}", partial(_fill, ours, one))
        for one in deliveries
    ]
    seen = batch.deliver(targets, order.rule)
    for one in deliveries:
        yield one.copy.path, one.original, seen[one.copy.path], one.digest


def _fill(ours: Source, one: Delivery, fd: int) -> None:
    if one.data is not None:
        _write(fd, one.data)
        return
    running = sha256()
    with ours.opened(one.copy.real) as original:
        for chunk in _chunks(original):
            running.update(chunk)
            _write(fd, chunk)
    if running.digest() != one.digest:
        raise _moving(one.copy)


def _write(fd: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]
