"""The order in which changes are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from heapq import heapify, heappop, heappush

from reconcile.engine.model import Change
from reconcile.engine.resource import Ref
from reconcile.errors import ReconcileError
from reconcile.filesystem.path import is_inside

Rank = tuple[int, int, str, str]


def in_order(changes: Iterable[Change]) -> tuple[Change, ...]:
    """Requirements first; a removal before the removal of what it requires.

    What is removed goes after all that may still use it, such as nginx's workers, except where
    a later change needs it gone. Otherwise by the order of the kinds, then by depth, then by name.
    Errors: ReconcileError, where requirements form a circle.
    """
    by_ref = {change.ref: change for change in changes}
    sorter = TopologicalSorter(_predecessors(by_ref))
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " → ".join(str(ref) for ref in error.args[1])
        raise ReconcileError(
            "The resources cannot be ordered.",
            f"they require each other: {circle}",
            "Remove one of these dependencies. Nothing was changed.",
        ) from None
    return tuple(by_ref[ref] for ref in _by_rank(sorter, _ranks(by_ref)))


def _by_rank(sorter: TopologicalSorter[Ref], ranks: Mapping[Ref, Rank]) -> Iterable[Ref]:
    """Of everything that may come next, always the one of the lowest rank."""
    ready = [(ranks[ref], ref) for ref in sorter.get_ready()]
    heapify(ready)
    while ready:
        _, ref = heappop(ready)
        yield ref
        sorter.done(ref)
        for freed in sorter.get_ready():
            heappush(ready, (ranks[freed], freed))


def _ranks(by_ref: Mapping[Ref, Change]) -> dict[Ref, Rank]:
    """What gives way to a successor goes when that comes."""
    ranks = {ref: _rank(change) for ref, change in by_ref.items()}
    for successor, removal in _successions(by_ref):
        ranks[removal] = min(ranks[removal], ranks[successor])
    return ranks


def _rank(change: Change) -> Rank:
    kind, name = change.ref
    depth = name.count("/")
    if change.after is None:
        return (change.subject.removal_rank, -depth, kind, name)
    return (change.subject.order, depth, kind, name)


def _predecessors(by_ref: Mapping[Ref, Change]) -> dict[Ref, set[Ref]]:
    """For each change, those that come before it."""
    before: dict[Ref, set[Ref]] = {ref: set() for ref in by_ref}
    for ref, change in by_ref.items():
        for required in change.subject.requires():
            if required == ref or required not in by_ref:
                continue
            removed = by_ref[required].after is None
            if change.after is None and removed:
                before[required].add(ref)
            elif change.after is not None and not removed:
                before[ref].add(required)
    removals = (*_successions(by_ref), *_removals_from_sources(by_ref), *_needed_removals(by_ref))
    for ref, removal in removals:
        before[ref].add(removal)
    return before


def _removals_from_sources(by_ref: Mapping[Ref, Change]) -> Iterable[tuple[Ref, Ref]]:
    """What publishes a directory, with each removal in that directory."""
    leaving = [ref for ref, change in by_ref.items() if change.after is None]
    for ref, change in by_ref.items():
        source = change.after.source_directory if change.after is not None else ""
        for removal in leaving if source else ():
            if is_inside(removal.name, source):
                yield ref, removal


def _needed_removals(by_ref: Mapping[Ref, Change]) -> Iterable[tuple[Ref, Ref]]:
    """What needs a path gone, with its removal."""
    leaving = [ref for ref, change in by_ref.items() if _ends_its_name(change)]
    for ref, change in by_ref.items():
        if change.after is not None:
            known = change.before or change.after
            yield from ((ref, one) for one in leaving if known.needs_gone(one.name))


def _ends_its_name(change: Change) -> bool:
    """Whether its path is removed, or what has a name that is no path ends, such as a unit."""
    is_path = change.ref.name.startswith("/")
    return change.after is None and (change.subject.is_name_removed or not is_path)


def _successions(by_ref: Mapping[Ref, Change]) -> Iterable[tuple[Ref, Ref]]:
    """What is created under the name of something that is removed, with that removal.

    A copy does not take the place of its directory, but lies in it.
    """
    own = {ref: change for ref, change in by_ref.items() if not change.subject.writes_inside}
    leaving = {ref.name: ref for ref, change in own.items() if change.after is None}
    for ref, change in own.items():
        if change.after is not None and ref.name in leaving:
            yield ref, leaving[ref.name]
