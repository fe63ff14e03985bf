"""Compare a source folder with its copy, directory by directory."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from hashlib import sha256
from posixpath import join
from typing import NamedTuple

from reconcile.filesystem.compress import COMPRESSED
from reconcile.filesystem.openat import NO_LISTING, DirectoryCursor, Listing
from reconcile.filesystem.parallel import ProgressCounter
from reconcile.filesystem.path import is_helper_name
from reconcile.filesystem.sync.compare_file import FileComparison
from reconcile.filesystem.sync.extraneous import ExtraneousComparison, is_too_deep
from reconcile.filesystem.sync.kind_change import KindChange
from reconcile.filesystem.sync.manifest import SyncManifest
from reconcile.filesystem.sync.manifest_row import Signature
from reconcile.filesystem.sync.precompressed import PrecompressedComparison
from reconcile.filesystem.sync.quick_check import QuickCheck, original_name
from reconcile.filesystem.sync.source import Original, Source
from reconcile.filesystem.sync.sync_diff import (
    MOST_DIFFERENCES,
    MOST_DIFFERENCES_BYTES,
    MOST_DIRECTORY_BYTES,
    ChangedSide,
    FileCopy,
    SyncDiff,
    SyncRequest,
    TooManyFiles,
)
from reconcile.filesystem.walk import CLOSED_MOUNT

HUGE = 1 << 20
"""Bytes of a directory itself above which its names are divided among the workers."""


class DirectoryPair(NamedTuple):
    """A directory of the copy, and the path of its original; None where that is absent.

    `linked`: reached through a symlink in the source. Of a huge one a worker takes
    every `of`th name, and compressed siblings with their files.
    """

    folder: str
    source_path: str | None
    has_copy: bool
    linked: bool = False
    part: int = 0
    of: int = 1

    def takes(self, name: str) -> bool:
        """Whether `name` belongs to this part."""
        return self.of == 1 or hash(original_name(name)) % self.of == self.part


Copies = Mapping[str, os.stat_result]
"""Name → what is in the copy."""


class TreeComparison:
    """Collects in `found` what differs in the directories that it compares."""

    def __init__(
        self,
        source: Source,
        request: SyncRequest,
        manifest: SyncManifest,
        cursor: DirectoryCursor | None,
        progress: ProgressCounter | None,
    ) -> None:
        self.source, self.request, self.manifest, self.cursor = source, request, manifest, cursor
        self.progress = progress
        self.files = FileComparison(source, request, manifest, cursor)
        self.kinds = KindChange(self.files, self._is_excluded)
        self.precompressed = PrecompressedComparison(self.files)
        self.extraneous = ExtraneousComparison(self.files, self.precompressed)
        self.below: list[DirectoryPair] = []
        self.examined = 0
        self.path_bytes = 0

    @property
    def found(self) -> SyncDiff:
        """What differs so far."""
        return self.files.found

    def compare_below(self, pairs: Iterable[DirectoryPair]) -> SyncDiff:
        """What differs in these and in all that is below them."""
        self.files.reset()
        for pair in pairs:
            waiting = [pair]
            while waiting:
                waiting += self.compare(waiting.pop())
        return self.found

    def compare(self, pair: DirectoryPair) -> list[DirectoryPair]:
        """Compare one directory; return those that are in it. Another mount is not entered."""
        try:
            return self._compare(pair)
        except OSError as error:
            if not pair.folder or not self._is_mount(error):
                raise
        self.found.mounts.add(pair.folder)
        self.found.blocked_folders.add(pair.folder)
        self.found.block_removal(pair.folder)
        return []

    def _is_mount(self, error: OSError) -> bool:
        if error.errno == errno.EXDEV:
            return True
        trees = (self.source, self.cursor) if error.errno in CLOSED_MOUNT else ()
        return os.geteuid() == 0 and any(tree.has_mounts() for tree in trees if tree)

    def _compare(self, pair: DirectoryPair) -> list[DirectoryPair]:
        self.below, self.precompressed.requested = [], set()
        self._refuse_too_many(pair)
        with self._source_listing(pair) as source, self._copy_listing(pair) as copy:
            source_names, copy_names = self._names(pair, source), self._names(pair, copy)
            done = self._unchanged(pair, source, copy)
            originals: Mapping[str, Original] = {}
            if pair.source_path is not None:
                left = sorted(source_names - done)
                originals = self.source.originals(pair.source_path, source, left)
            copies = self._stat_copies(pair, copy, sorted(copy_names - done))
        self._compare_originals(pair, originals, copies, source_names)
        if pair.folder == "":
            self._compare_extras(pair, originals.keys() | done, copies)
        alone = self._in_copy_alone(pair, originals, copies)
        folders = self.extraneous.compare(pair.folder, alone)
        self.below += [DirectoryPair(path, None, has_copy=True) for path in folders]
        self.path_bytes += len(pair.folder) * (len(source_names) + len(copy_names) - len(done))
        self.examined += len(source_names) + len(copy_names)
        if self.progress is not None:
            self.progress.add(len(source_names) + len(copy_names))
        return self.below

    def _refuse_too_many(self, pair: DirectoryPair) -> None:
        """Errors: TooManyFiles, before a directory is listed that memory may not hold."""
        if self._directory_size(pair) > MOST_DIRECTORY_BYTES:
            raise TooManyFiles(join(self.request.source, pair.folder), "it has millions of names")
        refuse_too_many(self.request, self.found)
        if self.path_bytes > MOST_DIFFERENCES_BYTES:
            raise TooManyFiles(self.request.source, "the paths of what differs fill the memory")

    def is_huge(self, pair: DirectoryPair) -> bool:
        """Whether so many names are in it that several workers should share them."""
        return self._directory_size(pair) > HUGE

    def _directory_size(self, pair: DirectoryPair) -> int:
        """The larger of both in bytes; 0 where one cannot be entered, as its listing will tell."""
        sizes = [0]
        with suppress(OSError):
            if self.cursor is not None and pair.has_copy:
                sizes.append(self.cursor.directory_size(pair.folder))
            if pair.source_path is not None:
                sizes.append(self.source.directory_size(pair.source_path))
        return max(sizes)

    def _source_listing(self, pair: DirectoryPair) -> AbstractContextManager[Listing]:
        if pair.source_path is None:
            return nullcontext(NO_LISTING)
        return self.source.listing(pair.source_path)

    def _copy_listing(self, pair: DirectoryPair) -> AbstractContextManager[Listing]:
        if self.cursor is None or not pair.has_copy:
            return nullcontext(NO_LISTING)
        return self.cursor.listing(pair.folder)

    @staticmethod
    def _names(pair: DirectoryPair, at: Listing) -> set[str]:
        return set(at.names if pair.of == 1 else filter(pair.takes, at.names))

    def _unchanged(self, pair: DirectoryPair, source: Listing, copy: Listing) -> set[str]:
        """The names that need no comparison."""
        rows = [one for one in self.manifest.rows_in(pair.folder) if pair.takes(one[0])]
        done: set[str] = set()
        if source is not NO_LISTING and copy is not NO_LISTING:
            check = QuickCheck(source, copy, self.request, self.manifest.racy_from_ns)
            done = check.unchanged(rows)
        if self.request.excluded:
            done = {name for name in done if not self._is_excluded(join(pair.folder, name))}
        self.found.total += len(done.intersection(copy.names))
        self.found.unconfirmed += [join(pair.folder, name) for name, _ in rows if name not in done]
        return done

    def _is_excluded(self, path: str) -> bool:
        """Whether another resource manages it, or what it is the compressed sibling of."""
        originals = (path.removesuffix(suffix) for suffix in COMPRESSED)
        return not {path, *originals}.isdisjoint(self.request.excluded)

    def _stat_copies(
        self, pair: DirectoryPair, copy: Listing, names: Iterable[str]
    ) -> dict[str, os.stat_result]:
        """Name → what is in the copy; dotfiles are neither copied nor changed."""
        found = {}
        for name in names:
            if not name.startswith("."):
                with suppress(FileNotFoundError):
                    found[name] = os.stat(name, dir_fd=copy.fd, follow_symlinks=False)
            elif not is_helper_name(name):
                self.found.block_removal(join(pair.folder, name))
        return found

    def _compare_originals(
        self,
        pair: DirectoryPair,
        originals: Mapping[str, Original],
        copies: Copies,
        source_names: Collection[str],
    ) -> None:
        for name, original in originals.items():
            path = join(pair.folder, name)
            if path in self.request.excluded:
                continue
            if original.is_directory:
                self._compare_folder(pair, path, original, copies.get(name))
            else:
                is_changed = self._compare_file(path, original, copies.get(name))
                self.precompressed.compare(
                    path, original, copies, source_names, is_changed=is_changed
                )

    def _compare_folder(
        self, pair: DirectoryPair, path: str, original: Original, copy: os.stat_result | None
    ) -> None:
        linked = original.source_path != join(pair.source_path or "", path.rpartition("/")[2])
        if linked and pair.linked:
            # Linked directories in linked directories can be a maze without end.
            self.found.not_copied.outside.add(path)
            return
        if is_too_deep(path):
            self.found.not_copied.too_deep.add(path)
            self.found.block_removal(path)
            return
        if copy is None:
            self.found.folders.append(path)
        elif stat.S_ISDIR(copy.st_mode):
            self.files.compare_owner(path, copy)
        else:
            self.kinds.to_directory(path, copy)
            self.found.folders.append(path)
        has_copy = copy is not None and stat.S_ISDIR(copy.st_mode)
        below = DirectoryPair(path, original.source_path, has_copy, linked or pair.linked)
        self.below.append(below)

    def _compare_file(self, path: str, original: Original, copy: os.stat_result | None) -> bool:
        """Whether it has to be written."""
        files, size = self.files, original.st.st_size
        if copy is not None and stat.S_ISDIR(copy.st_mode):
            self.kinds.to_file(path)
            copy = None
        if files.is_file(copy, path, size) and files.is_equal(path, original, copy):
            files.record_match(path, original.signature, copy)
            return False
        files.record_difference(path, original, copy)
        return True

    def _compare_extras(self, pair: DirectoryPair, known: Collection[str], copies: Copies) -> None:
        for name, data in sorted(self.request.extra.items()):
            is_own = name not in known and name not in self.request.excluded
            if is_own and pair.takes(name):
                self._compare_extra(name, data, copies.get(name))

    def _compare_extra(self, name: str, data: bytes, copy: os.stat_result | None) -> None:
        if self.files.is_file(copy, name, len(data)) and self.files.has_content(name, data):
            self.files.record_match(name, Signature(len(data), 0, 0, 0), copy)
            return
        is_same = self.manifest.digest(name) == sha256(data).digest()
        changed_side: ChangedSide = "host" if is_same else "source"
        is_new, old_size = copy is None, 0 if copy is None else copy.st_size
        self.files.record_replaced(name, copy)
        extra = FileCopy(name, "", data, is_new, old_size, len(data), changed_side)
        self.found.copies.append(extra)

    def _in_copy_alone(
        self, pair: DirectoryPair, originals: Mapping[str, Original], copies: Copies
    ) -> Copies:
        known = originals.keys() | self.precompressed.requested
        known |= self.request.extra.keys() if pair.folder == "" else frozenset()
        return {name: copy for name, copy in copies.items() if name not in known}


def refuse_too_many(request: SyncRequest, found: SyncDiff) -> None:
    """Errors: TooManyFiles where more differs than memory should hold."""
    count = found.difference_count + len(found.rows)
    if count > MOST_DIFFERENCES:
        why = f"more than {MOST_DIFFERENCES:,} differ from {request.root}"
        raise TooManyFiles(request.source, why)
