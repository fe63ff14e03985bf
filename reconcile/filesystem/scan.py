"""A walk on all cores: its upper directories first, then a share of the rest for each reader."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from reconcile.filesystem.parallel import map_parallel, split_work, worker_count
from reconcile.filesystem.permissions import PermissionPolicy
from reconcile.filesystem.safe_path import pin_directory
from reconcile.filesystem.scan_result import Scan
from reconcile.filesystem.walk import ROOT, Share, TreeWalker, WalkPosition

if TYPE_CHECKING:
    from reconcile.filesystem.parallel import ProgressCounter

HUGE = 1 << 20
"""Bytes of a directory itself above which its names are divided among the readers."""
SHALLOW = 16
"""Levels down to which directories are reached from the root to divide what is below."""


def scan(
    root: str,
    rule: PermissionPolicy,
    excluded: Collection[str] = (),
    tally: ProgressCounter | None = None,
) -> Scan:
    """Compare everything below the directory `root` with `rule`; changes nothing.

    `excluded` are paths relative to the root, left out with all that is below; `tally`
    is told how many names were looked at.
    """
    with pin_directory(root) as (pin, guard):
        fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=pin)
        try:
            return _scan_parallel(TreeWalker(fd, guard, rule, excluded, tally)).sorted_by_path()
        finally:
            os.close(fd)


def _scan_parallel(walker: TreeWalker) -> Scan:
    def below(share: Share) -> Iterable[Share]:
        if worker_count() > 1 and _is_huge(walker, share.place):
            return [Share(share.place, part, worker_count()) for part in range(worker_count())]
        names = walker.subdirectories(share.place)
        return [Share(WalkPosition(share.place, name, share.place.depth + 1)) for name in names]

    def look(shares: Iterator[Share]) -> Scan:
        walker.scan = Scan()
        for share in shares:
            walker.walk(share)
        return walker.scan

    shares = split_work(Share(ROOT), below, _is_last, lambda: walker.examined)
    found = walker.scan
    for other in map_parallel(shares, look):
        found.merge(other)
    return found


def _is_last(share: Share) -> bool:
    return share.of > 1 or share.place.depth >= SHALLOW


def _is_huge(walker: TreeWalker, place: WalkPosition) -> bool:
    try:
        return walker.size_of(place) > HUGE
    except OSError:
        # The walk meets the same error, and tells it.
        return False
