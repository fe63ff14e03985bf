"""A walk on all cores: its upper directories first, then a share of the rest for each reader."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING

from reconcile.filesystem.parallel import divide, readers, together
from reconcile.filesystem.permissions import PermissionPolicy
from reconcile.filesystem.safe_path import directory
from reconcile.filesystem.scan_result import Scan
from reconcile.filesystem.walk import ROOT, Share, Walker, WalkPosition

if TYPE_CHECKING:
    from reconcile.filesystem.parallel import Tally

HUGE = 1 << 20
"""Bytes of a directory itself above which its names are divided among the readers."""
SHALLOW = 16
"""Levels down to which directories are reached from the root to divide what is below."""


def scan(
    root: str, rule: PermissionPolicy, excluded: Collection[str] = (), tally: Tally | None = None
) -> Scan:
    """Compare everything below the directory `root` with `rule`; changes nothing.

    `excluded` are paths relative to the root, left out with all that is below; `tally`
    is told how many names were looked at.
    """
    with directory(root) as (pin, guard):
        fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=pin)
        try:
            return _scan(Walker(fd, guard, rule, excluded, tally)).in_order()
        finally:
            os.close(fd)


def _scan(walker: Walker) -> Scan:
    def below(share: Share) -> Iterable[Share]:
        if readers() > 1 and _is_huge(walker, share.place):
            return [Share(share.place, part, readers()) for part in range(readers())]
        names = walker.subdirectories(share.place)
        return [Share(WalkPosition(share.place, name, share.place.depth + 1)) for name in names]

    def look(shares: Iterator[Share]) -> Scan:
        walker.scan = Scan()
        for share in shares:
            walker.walk(share)
        return walker.scan

    shares = divide(Share(ROOT), below, _is_last, lambda: walker.looked)
    found = walker.scan
    for other in together(shares, look):
        found.merge(other)
    return found


def _is_last(share: Share) -> bool:
    return share.of > 1 or share.place.depth >= SHALLOW


def _is_huge(walker: Walker, place: WalkPosition) -> bool:
    try:
        return walker.size_of(place) > HUGE
    except OSError:
        # The walk meets the same error, and tells it.
        return False
