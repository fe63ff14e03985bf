"""Compare a source folder with its copy, directory by directory, on all cores.

Memory follows what differs. A file that is as recorded in the manifest is not opened.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext

from reconcile.filesystem.openat import DirectoryCursor, directory_cursor
from reconcile.filesystem.parallel import (
    ProgressCounter,
    WorkerDied,
    map_parallel,
    map_serial,
    split_work,
    worker_count,
)
from reconcile.filesystem.place_guard import UNGUARDED, PlaceGuard
from reconcile.filesystem.read import stat_of
from reconcile.filesystem.safe_path import DirectoryTrust
from reconcile.filesystem.sync.manifest import SyncManifest
from reconcile.filesystem.sync.source import open_source
from reconcile.filesystem.sync.sync_diff import SyncDiff, SyncRequest
from reconcile.filesystem.sync.tree_comparison import DirectoryPair, TreeComparison, refuse_too_many

WHOLE = DirectoryPair("", "", has_copy=True)
Compare = Callable[[Iterator[DirectoryPair]], SyncDiff]


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
