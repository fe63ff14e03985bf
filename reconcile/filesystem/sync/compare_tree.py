"""Compare a source folder with its copy, directory by directory, on all cores.

Memory follows what differs. A file that is as recorded in the manifest is not opened.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from hashlib import sha256
from posixpath import dirname, join
from typing import NamedTuple

from reconcile.filesystem.compress import COMPRESSED
from reconcile.filesystem.openat import NO_LISTING, DirectoryCursor, Listing, directory_cursor
from reconcile.filesystem.parallel import (
    ProgressCounter,
    WorkerDied,
    map_parallel,
    map_serial,
    split_work,
    worker_count,
)
from reconcile.filesystem.path import is_helper_name
from reconcile.filesystem.place_guard import UNGUARDED, PlaceGuard
from reconcile.filesystem.read import stat_of
from reconcile.filesystem.safe_path import DirectoryTrust
from reconcile.filesystem.sync.compare_file import FileComparison
from reconcile.filesystem.sync.hashed_name import holds_hash
from reconcile.filesystem.sync.kind_change import KindChange
from reconcile.filesystem.sync.manifest import COPY, Signature, SyncManifest
from reconcile.filesystem.sync.precompressed import PrecompressedComparison
from reconcile.filesystem.sync.quick_check import QuickCheck, original_name
from reconcile.filesystem.sync.source import Original, Source, open_source
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
from reconcile.filesystem.walk import CLOSED_MOUNT, DEEPEST

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


WHOLE = DirectoryPair("", "", has_copy=True)
Copies = Mapping[str, os.stat_result]
"""Name → what is in the copy."""
Compare = Callable[[Iterator[DirectoryPair]], SyncDiff]


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
        self._dropped = manifest.dropped if request.keep_s is not None else {}
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
        self._block_removal(pair.folder)
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
        self._compare_others(pair, originals, copies)
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
                self._block_removal(join(pair.folder, name))
        return found

    def _block_removal(self, path: str) -> None:
        while path:
            path = dirname(path)
            self.found.blocked_folders.add(path)

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
        if _is_too_deep(path):
            self.found.not_copied.too_deep.add(path)
            self._block_removal(path)
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

    def _compare_others(
        self, pair: DirectoryPair, originals: Mapping[str, Original], copies: Copies
    ) -> None:
        known = originals.keys() | self.precompressed.requested
        known |= self.request.extra.keys() if pair.folder == "" else frozenset()
        for name in sorted(copies.keys() - known):
            path = join(pair.folder, name)
            if path in self.request.excluded:
                self._block_removal(path)
            elif self._is_retained(path, copies[name]):
                self._retain(path, copies[name])
            elif name.endswith(COMPRESSED) and self.precompressed.is_generated(path, copies[name]):
                self.found.stale[path] = "obsolete"
                self.files.record_replaced(path, copies[name])
            elif path not in self.found.stale:
                self._add_extraneous(path, copies[name])

    def _is_retained(self, path: str, copy: os.stat_result) -> bool:
        """Whether the source dropped it less than `keep_s` ago, and it is as it was copied."""
        keep_s, name = self.request.keep_s, path.rpartition("/")[2]
        if keep_s is None or not stat.S_ISREG(copy.st_mode) or not holds_hash(name):
            return False
        row = self.manifest.row(path)
        if row is None:
            # Without any record nothing shows that the source never had it.
            return not self.manifest.exists
        is_as_copied = Signature.unpack(row[COPY]).content == Signature.of(copy).content
        is_due = self.request.now_s - self._dropped_at(path) >= keep_s
        if is_as_copied and is_due:
            self.found.due.add(path)
        return is_as_copied and not is_due

    def _dropped_at(self, path: str) -> float:
        return self._dropped.get(path, self.request.now_s)

    def _retain(self, path: str, copy: os.stat_result) -> None:
        self.found.retained[path] = self._dropped_at(path)
        row = self.manifest.row(path)
        if row is not None:
            self.found.rows[path] = row
        self._block_removal(path)
        self.files.compare_owner(path, copy)

    def _add_extraneous(self, path: str, copy: os.stat_result) -> None:
        """What the source does not have: removed with `prune`, else only its owner is compared."""
        is_directory = stat.S_ISDIR(copy.st_mode)
        if is_directory and _is_too_deep(path):
            self.found.too_deep.add(path)
            self._block_removal(path)
            return
        if is_directory:
            self.below.append(DirectoryPair(path, None, has_copy=True))
        if self.request.prune:
            found = self.found.extraneous_folders if is_directory else self.found.extraneous
            found.append(path)
            if not is_directory:
                self.files.record_replaced(path, copy)
            return
        if not is_directory:
            self.found.kept.add(path)
        self.files.compare_owner(path, copy)


def _is_too_deep(path: str) -> bool:
    return path.count("/") >= DEEPEST


def refuse_too_many(request: SyncRequest, found: SyncDiff) -> None:
    """Errors: TooManyFiles where more differs than memory should hold."""
    count = found.difference_count + len(found.rows)
    if count > MOST_DIFFERENCES:
        why = f"more than {MOST_DIFFERENCES:,} differ from {request.root}"
        raise TooManyFiles(request.source, why)


def compare_tree(
    request: SyncRequest,
    manifest: SyncManifest,
    *,
    progress: ProgressCounter | None = None,
    guard: PlaceGuard = UNGUARDED,
    planned: DirectoryTrust | None = None,
) -> SyncDiff:
    """Compare source and copy, of which the latter may be absent; changes nothing.

    `planned`: who will be able to change names in the copy, where a plan changes that.

    Errors: FileNotFoundError for the source, NotADirectoryError for either; TooManyFiles.
    """
    try:
        return _compare_by(map_parallel, request, manifest, progress, guard, planned)
    except WorkerDied:
        # Whatever stopped the worker also stops this process, which can report it.
        return _compare_by(map_serial, request, manifest, progress, guard, planned)


def _copy_cursor(
    root: str, planned: DirectoryTrust | None
) -> AbstractContextManager[DirectoryCursor | None]:
    is_absent = stat_of(root, follow=True) is None
    return nullcontext() if is_absent else directory_cursor(root, planned=planned)


def _compare_by(
    map_shares: Callable[[Sequence[DirectoryPair], Compare], list[SyncDiff]],
    request: SyncRequest,
    manifest: SyncManifest,
    progress: ProgressCounter | None,
    guard: PlaceGuard,
    planned: DirectoryTrust | None,
) -> SyncDiff:
    copy = _copy_cursor(request.root, planned)
    with open_source(request.source, guard) as source, copy as cursor:
        comparison = TreeComparison(source, request, manifest, cursor, progress)

        def below(pair: DirectoryPair) -> Iterable[DirectoryPair]:
            """The pairs inside `pair`, or parts of it where it is huge."""
            if worker_count() > 1 and comparison.is_huge(pair):
                workers = worker_count()
                return [pair._replace(part=part, of=workers) for part in range(workers)]
            return comparison.compare(pair)

        shares = split_work(WHOLE, below, lambda pair: pair.of > 1, lambda: comparison.examined)
        found = comparison.found
        for other in map_shares(shares, comparison.compare_below):
            found.merge(other)
            refuse_too_many(request, found)
        return found.sorted_by_path()
