"""What a scan found below one root: what deviates, and what was skipped."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import field, replace
from hashlib import blake2b

from reconcile.dataclass import dataclass
from reconcile.filesystem.host_error import cause
from reconcile.filesystem.permissions import PermissionDeviation

MOST_KEPT = 128 << 10
MOST_KEPT_BYTES = 16 << 20
"""Deviations, and bytes of their paths, held in memory; beyond, they are only counted."""
MOST_EXAMPLES = 20


@dataclass(frozen=False)
class Examples:
    """An exact count and the first few paths."""

    count: int = 0
    paths: list[str] = field(default_factory=list)

    def add(self, path: str) -> None:
        """Count one more."""
        self.count += 1
        if len(self.paths) < MOST_EXAMPLES:
            self.paths.append(path)

    def merge(self, other: Examples) -> None:
        """Add what another process found."""
        self.count += other.count
        self.paths = sorted(self.paths + other.paths, key=os.fsencode)[:MOST_EXAMPLES]


@dataclass(frozen=False)
class OwnedExamples(Examples):
    """The same with the uid that each of the first few belongs to."""

    owners: dict[str, int] = field(default_factory=dict)

    def add_owned(self, path: str, st: os.stat_result) -> None:
        """Count one more."""
        self.add(path)
        if len(self.owners) < MOST_EXAMPLES:
            self.owners[path] = st.st_uid

    def merge(self, other: Examples) -> None:
        """Add what another process found."""
        super().merge(other)
        if isinstance(other, OwnedExamples):
            both = self.owners | other.owners
            self.owners = {path: both[path] for path in self.paths}


@dataclass(frozen=False)
class Scan:
    """The result of one pass; counts are exact, `deviations` are the first that fit in memory."""

    deviations: list[PermissionDeviation] = field(default_factory=list)
    deviation_count: int = 0
    bytes_kept: int = 0
    fingerprint: int = 0
    """Of all deviations, whatever their order, including those that were not kept."""
    files: int = 0
    directories: int = 0
    symlinks: int = 0
    special: int = 0
    foreign_owner: OwnedExamples = field(default_factory=OwnedExamples)
    """Deviating, but another user's inode that somebody else can have put there."""
    hard_links: Examples = field(default_factory=Examples)
    """Deviating files with further names, perhaps elsewhere: not changed."""
    mounts: Examples = field(default_factory=Examples)
    too_deep: Examples = field(default_factory=Examples)
    """Directories further down than is walked."""
    unreadable: Examples = field(default_factory=Examples)
    unreadable_reason: str = ""

    def add_deviation(self, found: PermissionDeviation) -> None:
        """Count a deviation, and keep it if it fits."""
        self.deviation_count += 1
        self.fingerprint = (self.fingerprint + _fingerprint(found)) % 2**64
        size = len(found.path)
        if len(self.deviations) < MOST_KEPT and self.bytes_kept + size <= MOST_KEPT_BYTES:
            self.deviations.append(found)
            self.bytes_kept += size

    def add_unreadable(self, path: str, error: OSError) -> None:
        """Count what could not be read; the first reason is kept."""
        self.unreadable.add(path)
        self.unreadable_reason = self.unreadable_reason or cause(error)

    def merge(self, other: Scan) -> None:
        """Add what another process found."""
        for name in ("deviation_count", "files", "directories", "symlinks", "special"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        for name in ("foreign_owner", "hard_links", "mounts", "too_deep", "unreadable"):
            getattr(self, name).merge(getattr(other, name))
        self.fingerprint = (self.fingerprint + other.fingerprint) % 2**64
        self.unreadable_reason = self.unreadable_reason or other.unreadable_reason
        self.deviations = list(_first(self.deviations + other.deviations))

    def sorted_by_path(self) -> Scan:
        """The same, upper directories before what is in them."""
        return replace(self, deviations=sorted(self.deviations, key=_by_path))


def _first(deviations: Iterable[PermissionDeviation]) -> Iterable[PermissionDeviation]:
    size = 0
    for count, found in enumerate(deviations):
        size += len(found.path)
        if count >= MOST_KEPT or size > MOST_KEPT_BYTES:
            return
        yield found


def _by_path(found: PermissionDeviation) -> bytes:
    return os.fsencode(found.path)


def _fingerprint(found: PermissionDeviation) -> int:
    text = b"%d %d %o " % (found.uid, found.gid, found.mode) + os.fsencode(found.path)
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "big")
