"""Comparing a source folder with its copy, a share of it for each reader."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from reconcile.filesystem.comparison import WHOLE, Comparison, Pair
from reconcile.filesystem.mend import descent
from reconcile.filesystem.readers import ReaderDied, alone, divide, readers, together
from reconcile.filesystem.shipped import SyncManifest
from reconcile.filesystem.source import source
from reconcile.filesystem.survey import SyncDiff, SyncRequest

if TYPE_CHECKING:
    from reconcile.filesystem.tally import Tally

Look = Callable[[Iterator[Pair]], SyncDiff]


def survey(
    order: SyncRequest, shipped: SyncManifest, *, remember: bool = False, tally: Tally | None = None
) -> SyncDiff:
    """Compare; changes nothing. `remember` fills `settled` and `rows`, `tally` is told how far.

    Errors: FileNotFoundError and NotADirectoryError for the source or the root.
    """
    try:
        return _survey(order, shipped, together, remember=remember, tally=tally)
    except ReaderDied:
        # Whatever stopped the other one we meet ourselves, and can tell it.
        return _survey(order, shipped, alone, remember=remember, tally=tally)


def _survey(
    order: SyncRequest,
    shipped: SyncManifest,
    by: Callable[[Sequence[Pair], Look], list[SyncDiff]],
    *,
    remember: bool,
    tally: Tally | None,
) -> SyncDiff:
    with source(order.source) as ours, descent(order.root) as way:
        comparison = Comparison(ours, order, shipped, way, remember=remember, tally=tally)

        def below(pair: Pair) -> Iterable[Pair]:
            if readers() > 1 and comparison.is_huge(pair):
                return [pair._replace(part=part, of=readers()) for part in range(readers())]
            return comparison.look(pair)

        shares = divide(WHOLE, below, lambda pair: pair.of > 1, lambda: comparison.looked)
        found = comparison.found
        for other in by(shares, comparison.look_below):
            found.merge(other)
        return found.in_order()
