"""Scan a tree on all cores: its upper directories first, then a share of the rest each."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from reconcile.filesystem.parallel import ProgressCounter, map_parallel, split_work, worker_count
from reconcile.filesystem.permissions import PermissionPolicy
from reconcile.filesystem.safe_path import DirectoryTrust, open_readable, pin_directory
from reconcile.filesystem.scan_result import Scan
from reconcile.filesystem.walk import ROOT, Share, TreeWalker, WalkPosition

HUGE = 1 << 20
"""Bytes of a directory itself above which its names are divided among the workers."""
SHALLOW = 16
"""Levels down to which directories are opened from the root to divide what is below."""


def scan(
    root: str,
    policy: PermissionPolicy,
    excluded: Collection[str] = (),
    progress: ProgressCounter | None = None,
    planned: DirectoryTrust | None = None,
) -> Scan:
    """Compare everything below the directory `root` with `policy`; changes nothing.

    `excluded` are paths relative to the root, left out with all that is below; `planned` is who
    will be able to change names in it, where a plan changes that.
    """
    with pin_directory(root) as (pin, now), open_readable(pin) as fd:
        trust = planned or now
        return _scan_parallel(TreeWalker(fd, trust, policy, excluded, progress)).sorted_by_path()


def _scan_parallel(walker: TreeWalker) -> Scan:
    def below(share: Share) -> Iterable[Share]:
        """The folders inside `share`, or parts of it where it is huge."""
        if worker_count() > 1 and _is_huge(walker, share.place):
            return [Share(share.place, part, worker_count()) for part in range(worker_count())]
        return [Share(share.place.below(name)) for name in walker.subdirectories(share.place)]

    def walk(shares: Iterator[Share]) -> Scan:
        """Scan these shares in one worker."""
        walker.scan = Scan()
        for share in shares:
            walker.walk(share)
        return walker.scan

    shares = split_work(Share(ROOT), below, _is_last, lambda: walker.examined)
    found = walker.scan
    for other in map_parallel(shares, walk):
        found.merge(other)
    return found


def _is_last(share: Share) -> bool:
    return share.of > 1 or share.place.depth >= SHALLOW


def _is_huge(walker: TreeWalker, place: WalkPosition) -> bool:
    try:
        return walker.directory_size(place) > HUGE
    except OSError:
        # The walk meets the same error, and reports it.
        return False
