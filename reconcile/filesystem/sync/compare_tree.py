"""A directory of the source beside its copy: what differs, name by name.

Memory follows what differs. A file that is as it was when last found right is
not opened.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterable, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from hashlib import sha256
from typing import TYPE_CHECKING, NamedTuple

from reconcile.filesystem.compress import COMPRESSED
from reconcile.filesystem.openat import NO_LISTING, DirectoryCursor, Listing
from reconcile.filesystem.path import is_helper_name, join, parent
from reconcile.filesystem.sync.compare_file import FileComparison, wrong_kind_in_copy
from reconcile.filesystem.sync.manifest import Signature, SyncManifest
from reconcile.filesystem.sync.precompressed import PrecompressedComparison
from reconcile.filesystem.sync.quick_check import QuickCheck, original_name
from reconcile.filesystem.sync.source import Original, Source
from reconcile.filesystem.sync.sync_diff import ChangedSide, FileCopy, SyncDiff, SyncRequest

if TYPE_CHECKING:
    from reconcile.filesystem.parallel import ProgressCounter


from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from reconcile.filesystem.openat import directory_cursor
from reconcile.filesystem.parallel import (
    WorkerDied,
    map_parallel,
    map_serial,
    split_work,
    worker_count,
)
from reconcile.filesystem.sync.source import open_source

if TYPE_CHECKING:
    from reconcile.filesystem.parallel import ProgressCounter


HUGE = 1 << 20
"""Bytes of a directory itself above which its names are divided among the readers."""

Names = Mapping[str, os.stat_result]
"""Name → what is in the copy."""


class DirectoryPair(NamedTuple):
    """A directory of the copy and its original's real path; None where it lacks either.

    `linked`: reached through a symlink in the source. Of a huge one a reader takes
    every `of`th name, and compressed siblings with their files.
    """

    folder: str
    source_path: str | None
    has_copy: bool
    linked: bool = False
    part: int = 0
    of: int = 1

    def takes(self, name: str) -> bool:
        return self.of == 1 or hash(original_name(name)) % self.of == self.part


WHOLE = DirectoryPair("", "", has_copy=True)


class TreeComparison:
    """Gathers in `found` what differs in the directories that it looks at."""

    def __init__(
        self,
        ours: Source,
        order: SyncRequest,
        shipped: SyncManifest,
        way: DirectoryCursor,
        *,
        remember: bool,
        tally: ProgressCounter | None,
    ) -> None:
        self.source, self.request, self.manifest, self.cursor = ours, order, shipped, way
        self.progress = tally
        self.files = FileComparison(ours, order, shipped, way, remember=remember)
        self.precompressed = PrecompressedComparison(self.files)
        self.below: list[DirectoryPair] = []
        self.examined = 0

    @property
    def found(self) -> SyncDiff:
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
        """Compare one directory; those that are below it."""
        self.below, self.precompressed.requested = [], set()
        with self._source_listing(pair) as ours, self._copy_listing(pair) as copy:
            own, there = self._names(pair, ours), self._names(pair, copy)
            done = self._unchanged(pair, ours, copy)
            left = sorted(own - done)
            wanted = (
                {}
                if pair.source_path is None
                else self.source.originals(pair.source_path, ours, left)
            )
            stats = self._stats(pair, copy, sorted(there - done))
        self._compare_originals(pair, wanted, stats, own)
        if pair.folder == "":
            self._compare_extras(pair, wanted.keys() | done, stats)
        self._compare_others(pair, wanted, stats)
        self.examined += len(own) + len(there)
        if self.progress is not None:
            self.progress.add(len(own) + len(there))
        return self.below

    def is_huge(self, pair: DirectoryPair) -> bool:
        sizes = [self.cursor.directory_size(pair.folder)] if pair.has_copy else []
        sizes += [] if pair.source_path is None else [self.source.directory_size(pair.source_path)]
        return max(sizes) > HUGE

    def _source_listing(self, pair: DirectoryPair) -> AbstractContextManager[Listing]:
        return (
            nullcontext(NO_LISTING)
            if pair.source_path is None
            else self.source.listing(pair.source_path)
        )

    def _copy_listing(self, pair: DirectoryPair) -> AbstractContextManager[Listing]:
        return self.cursor.listing(pair.folder) if pair.has_copy else nullcontext(NO_LISTING)

    @staticmethod
    def _names(pair: DirectoryPair, at: Listing) -> set[str]:
        return set(at.names if pair.of == 1 else filter(pair.takes, at.names))

    def _unchanged(self, pair: DirectoryPair, ours: Listing, copy: Listing) -> set[str]:
        """The names that need no closer look."""
        if ours is NO_LISTING or copy is NO_LISTING:
            return set()
        rows = self.manifest.rows.in_folder(pair.folder)
        if pair.of > 1:
            rows = (one for one in rows if pair.takes(one[0]))
        done = QuickCheck(ours, copy, self.request, self.manifest.racy_from_ns).unchanged(rows)
        if self.request.excluded:
            done = {name for name in done if join(pair.folder, name) not in self.request.excluded}
        self.found.total += len(done.intersection(copy.names))
        if self.files.remember:
            self.found.unchanged += [join(pair.folder, name) for name in done]
        return done

    def _stats(
        self, pair: DirectoryPair, copy: Listing, names: Iterable[str]
    ) -> dict[str, os.stat_result]:
        """Name → what is in the copy; dotfiles are nobody's business here."""
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
            path = parent(path)
            self.found.blocked_folders.add(path)

    def _compare_originals(
        self,
        pair: DirectoryPair,
        wanted: Mapping[str, Original],
        there: Names,
        own: Collection[str],
    ) -> None:
        for name, original in wanted.items():
            path = join(pair.folder, name)
            if path in self.request.excluded:
                continue
            if original.is_directory:
                self._compare_folder(pair, path, original, there.get(name))
            else:
                changes = self._compare_file(path, original, there.get(name))
                self.precompressed.compare(path, original, there, own, changes=changes)

    def _compare_extras(self, pair: DirectoryPair, shipped: Collection[str], there: Names) -> None:
        for name, data in sorted(self.request.extra.items()):
            if name not in shipped and pair.takes(name):
                self._compare_extra(name, data, there.get(name))

    def _compare_folder(
        self, pair: DirectoryPair, path: str, original: Original, there: os.stat_result | None
    ) -> None:
        linked = original.source_path != join(pair.source_path or "", path.rpartition("/")[2])
        if linked and pair.linked:
            # Linked directories in linked directories can be a maze without end.
            self.found.not_copied.outside.add(path)
            return
        if there is None:
            self.found.folders.append(path)
        elif stat.S_ISDIR(there.st_mode):
            self.files.compare_owner(path, there)
        else:
            raise wrong_kind_in_copy(join(self.request.root, path), "a directory")
        self.below.append(
            DirectoryPair(path, original.source_path, there is not None, linked or pair.linked)
        )

    def _compare_file(self, path: str, original: Original, there: os.stat_result | None) -> bool:
        """Whether it has to be written."""
        size = original.st.st_size
        if self.files.is_file(path, there, size) and self.files.is_equal(path, original, there):
            self.files.record_match(path, original.signature, there)
            return False
        self.files.record_difference(path, original, there)
        return True

    def _compare_extra(self, name: str, data: bytes, there: os.stat_result | None) -> None:
        if self.files.is_file(name, there, len(data)) and self.files.has_content(name, data):
            self.files.record_match(name, Signature(len(data), 0, 0, 0), there)
            return
        known = self.manifest.digest(name) == sha256(data).digest()
        moved: ChangedSide = "host" if known else "source"
        is_new, old_size = there is None, 0 if there is None else there.st_size
        self.found.copies.append(FileCopy(name, "", data, is_new, old_size, len(data), moved))

    def _compare_others(
        self, pair: DirectoryPair, wanted: Mapping[str, Original], there: Names
    ) -> None:
        known = wanted.keys() | self.precompressed.requested
        known |= self.request.extra.keys() if pair.folder == "" else frozenset()
        for name in sorted(there.keys() - known):
            path = join(pair.folder, name)
            if path in self.request.excluded:
                self._block_removal(path)
            elif name.endswith(COMPRESSED) and self.precompressed.is_generated(path, there[name]):
                self.found.stale[path] = "unasked"
            elif path not in self.found.stale:
                self._add_extraneous(path, there[name])

    def _add_extraneous(self, path: str, st: os.stat_result) -> None:
        """What the source does not have: removed if that is asked for, else only kept right."""
        is_directory = stat.S_ISDIR(st.st_mode)
        if is_directory:
            self.below.append(DirectoryPair(path, None, has_copy=True))
        if self.request.prune:
            going = self.found.extraneous_folders if is_directory else self.found.extraneous
            going.append(path)
            return
        if not is_directory:
            self.found.kept.add(path)
        self.files.compare_owner(path, st)


Look = Callable[[Iterator[DirectoryPair]], SyncDiff]


def compare_tree(
    order: SyncRequest,
    shipped: SyncManifest,
    *,
    remember: bool = False,
    tally: ProgressCounter | None = None,
) -> SyncDiff:
    """Compare; changes nothing. `remember` fills `settled` and `rows`, `tally` is told how far.

    Errors: FileNotFoundError and NotADirectoryError for the source or the root.
    """
    try:
        return _compare_tree(order, shipped, map_parallel, remember=remember, tally=tally)
    except WorkerDied:
        # Whatever stopped the other one we meet ourselves, and can tell it.
        return _compare_tree(order, shipped, map_serial, remember=remember, tally=tally)


def _compare_tree(
    order: SyncRequest,
    shipped: SyncManifest,
    by: Callable[[Sequence[DirectoryPair], Look], list[SyncDiff]],
    *,
    remember: bool,
    tally: ProgressCounter | None,
) -> SyncDiff:
    with open_source(order.source) as ours, directory_cursor(order.root) as way:
        comparison = TreeComparison(ours, order, shipped, way, remember=remember, tally=tally)

        def below(pair: DirectoryPair) -> Iterable[DirectoryPair]:
            if worker_count() > 1 and comparison.is_huge(pair):
                return [
                    pair._replace(part=part, of=worker_count()) for part in range(worker_count())
                ]
            return comparison.compare(pair)

        shares = split_work(WHOLE, below, lambda pair: pair.of > 1, lambda: comparison.examined)
        found = comparison.found
        for other in by(shares, comparison.compare_below):
            found.merge(other)
        return found.sorted_by_path()
