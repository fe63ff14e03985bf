"""What differs between a source folder and its copy, and what was requested."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence, Set
from dataclasses import field, replace
from hashlib import sha256
from posixpath import dirname
from typing import Literal, NamedTuple

from reconcile.dataclass import dataclass
from reconcile.filesystem.compress import SUFFIXES
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.path import upwards
from reconcile.filesystem.permissions import PermissionDeviation, PermissionPolicy
from reconcile.filesystem.scan_result import Examples
from reconcile.filesystem.sync.source import NotCopied
from reconcile.types import Encoding

MOST_DIFFERENCES = 500_000
MOST_DIFFERENCES_BYTES = 128 << 20
"""Differences, and bytes of their paths, that fit in memory."""
MOST_DIRECTORY_BYTES = 64 << 20
"""Bytes of a directory itself above which it holds millions of names, and is not listed."""

ChangedSide = Literal["source", "host"]
"""Which of the two has changed since the last copy."""


@dataclass(frozen=True)
class SyncRequest:
    """From where to where to copy, with which permissions, and what to leave alone.

    `extra` are files at the root that the source need not have; `excluded` are
    paths relative to the root that other resources manage.
    """

    source: str
    root: str
    policy: PermissionPolicy
    prune: bool = False
    extra: Mapping[str, bytes] = field(default_factory=dict)
    excluded: Collection[str] = ()
    precompress: Sequence[Encoding] = ()
    """The encodings in which compressed siblings are made of what is worth it."""
    keep_s: float | None = None
    """With `prune`: how long a file stays after the source dropped it, if its name has a hash."""
    now_s: float = 0.0


Stale = Literal["outdated", "obsolete"]
"""Made of another version of its file; made by reconcile, and no longer requested."""


class FileCopy(NamedTuple):
    """A file to be written, from `source_path` (compressed if it has an encoding) or `data`.

    `original` is the packed signature of the file in the source as it was compared, and
    `digest` the SHA-256 of its content, where the plan is bound to that.
    """

    path: str
    source_path: str
    data: bytes | None
    is_new: bool
    old_size: int
    new_size: int
    changed_side: ChangedSide
    encoding: Encoding | None = None
    original: bytes = b""
    digest: bytes = b""

    @property
    def content(self) -> bytes:
        """What stands for the content: its SHA-256 where known, else the signature."""
        if self.data is not None:
            return sha256(self.data).digest()
        return self.digest or self.original

    @property
    def file(self) -> str:
        """The path of the file that it is, or that it is a compressed sibling of."""
        suffix = SUFFIXES[self.encoding] if self.encoding else ""
        return self.path.removesuffix(suffix)


class TooManyFiles(HostError):
    """More in one folder, or more that differs, than any app has; not even listed."""

    def __init__(self, folder: str, why: str) -> None:
        fix = "Remove what does not belong there."
        super().__init__(f"{folder} holds too many files", why, fix)


@dataclass(frozen=False)
class SyncDiff:
    """All that differs, and so all that an apply does; paths are relative to the root."""

    cleared: list[str] = field(default_factory=list)
    """Files that go first, since a directory takes the place of them, or of one above them."""
    cleared_folders: list[str] = field(default_factory=list)
    """Directories that go first, since a file takes the place of them, or of one above them."""
    folders: list[str] = field(default_factory=list)
    copies: list[FileCopy] = field(default_factory=list)
    stale: dict[str, Stale] = field(default_factory=dict)
    """Compressed siblings that nginx would serve in place of newer content, or obsolete ones."""
    extraneous: list[str] = field(default_factory=list)
    extraneous_folders: list[str] = field(default_factory=list)
    deviations: list[PermissionDeviation] = field(default_factory=list)
    replaced: dict[str, bytes] = field(default_factory=dict)
    """The packed signature of every file that is written over or removed."""
    rows: dict[str, bytes] = field(default_factory=dict)
    """Manifest rows of files that match, and are not in the manifest yet."""
    unconfirmed: list[str] = field(default_factory=list)
    """The files that are not as the manifest says."""
    blocked_folders: set[str] = field(default_factory=set)
    """Directories that hold something that must not be removed."""
    retained: dict[str, float] = field(default_factory=dict)
    """Files that stay for now, with the time at which the source was found to have dropped them."""
    due: set[str] = field(default_factory=set)
    """Those of `extraneous` that have been retained for long enough."""
    kept: Examples = field(default_factory=Examples)
    """Files that are not in the source and are kept."""
    skipped: Examples = field(default_factory=Examples)
    """Files whose owner or mode deviates, but must not be changed."""
    not_copied: NotCopied = field(default_factory=NotCopied)
    mounts: Examples = field(default_factory=Examples)
    """Directories, of the source or the copy, that are another mount."""
    too_deep: Examples = field(default_factory=Examples)
    """Directories of the copy further down than is compared."""
    total: int = 0

    @property
    def difference_count(self) -> int:
        """How many paths an apply would change."""
        folders = len(self.folders) + len(self.extraneous_folders)
        files = len(self.copies) + len(self.stale) + len(self.extraneous)
        cleared = len(self.cleared) + len(self.cleared_folders)
        return cleared + folders + files + len(self.deviations)

    @property
    def changes_contents(self) -> bool:
        """Whether an apply would do more than give owners and modes."""
        return self.difference_count > len(self.deviations)

    def block_removal(self, path: str) -> None:
        """Keep the directories above `path`, which holds what must not be removed."""
        while path:
            path = dirname(path)
            self.blocked_folders.add(path)

    def without_pruning(self) -> SyncDiff:
        """All but what is removed because the source does not have it."""
        stale = {path: why for path, why in self.stale.items() if not self._is_leaving(path)}
        return replace(self, stale=stale, extraneous=[], extraneous_folders=[])

    def pruning(self) -> SyncDiff:
        """What `without_pruning` leaves out."""
        return SyncDiff(
            stale={path: why for path, why in self.stale.items() if self._is_leaving(path)},
            extraneous=self.extraneous,
            extraneous_folders=self.extraneous_folders,
            replaced=self.replaced,
            unconfirmed=self.extraneous,
            retained=self.retained,
        )

    def adding(self) -> SyncDiff:
        """Of `without_pruning`, what takes no name that is served already."""
        taken = self._taken()
        copies = [copy for copy in self.copies if not _is_taken(copy.file, taken)]
        folders = [folder for folder in self.folders if not _is_taken(folder, taken)]
        early = replace(self.without_pruning(), copies=copies, folders=folders, stale={})
        return replace(early, cleared=[], cleared_folders=[])

    def replacing(self) -> SyncDiff:
        """What `adding` leaves out."""
        taken = self._taken()
        return replace(
            self.pruning(),
            copies=[copy for copy in self.copies if _is_taken(copy.file, taken)],
            folders=[folder for folder in self.folders if _is_taken(folder, taken)],
            stale=self.stale,
            cleared=self.cleared,
            cleared_folders=self.cleared_folders,
            unconfirmed=[*self.extraneous, *self.cleared],
        )

    @property
    def replaces_names(self) -> bool:
        """Whether `adding` leaves out more than what is removed."""
        return bool(self._taken())

    def _taken(self) -> frozenset[str]:
        """Files that get another content, and names that become another kind."""
        overwritten = (copy.file for copy in self.copies if not copy.is_new)
        return frozenset((*overwritten, *self.cleared, *self.cleared_folders))

    def _is_leaving(self, path: str) -> bool:
        return dirname(path) in self.extraneous_folders

    def digest(self) -> str:
        """The digest of what an apply does, and of what it expects to find.

        Contents of the source count by their own digest where known, else by signature.
        """
        copies = [(one.path, one.encoding, one.content.hex()) for one in self.copies]
        replaced = sorted((path, packed.hex()) for path, packed in self.replaced.items())
        paths = [self.folders, sorted(self.stale), self.extraneous, self.extraneous_folders]
        cleared = [self.cleared, self.cleared_folders]
        paths += cleared if any(cleared) else []
        return f"sha256:{sha256(ascii([copies, replaced, paths]).encode()).hexdigest()}"

    def merge(self, other: SyncDiff) -> None:
        """Add what another process found."""
        for name in ("folders", "copies", "extraneous", "extraneous_folders", "deviations"):
            getattr(self, name).extend(getattr(other, name))
        for name in ("cleared", "cleared_folders", "unconfirmed"):
            getattr(self, name).extend(getattr(other, name))
        for examples in ("kept", "skipped", "mounts", "too_deep"):
            getattr(self, examples).merge(getattr(other, examples))
        self.not_copied.merge(other.not_copied)
        self.stale.update(other.stale)
        self.rows.update(other.rows)
        self.retained.update(other.retained)
        self.due |= other.due
        self.replaced.update(other.replaced)
        self.blocked_folders |= other.blocked_folders
        self.total += other.total

    def sorted_by_path(self) -> SyncDiff:
        """The same in order, without the directories that must stay."""
        removable = [path for path in self.extraneous_folders if path not in self.blocked_folders]
        return replace(
            self,
            cleared=sorted(self.cleared, key=os.fsencode),
            cleared_folders=sorted(self.cleared_folders, key=os.fsencode),
            folders=sorted(self.folders, key=os.fsencode),
            copies=sorted(self.copies, key=_by_path),
            stale={path: self.stale[path] for path in sorted(self.stale, key=os.fsencode)},
            extraneous=sorted(self.extraneous, key=os.fsencode),
            extraneous_folders=sorted(removable, key=os.fsencode),
            deviations=sorted(self.deviations, key=_by_path),
        )


def _is_taken(path: str, taken: Set[str]) -> bool:
    """Whether its name, or that of a directory above it, is among those `taken`."""
    return any(name.removeprefix("/") in taken for name in upwards(f"/{path}"))


def _by_path(one: FileCopy | PermissionDeviation) -> bytes:
    return os.fsencode(one.path)
