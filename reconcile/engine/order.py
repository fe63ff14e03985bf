"""In which order changes are made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from heapq import heapify, heappop, heappush

from reconcile.engine.model import Change
from reconcile.engine.resource import Ref
from reconcile.errors import ReconcileError

Rank = tuple[int, int, str, str]


def in_order(changes: Iterable[Change]) -> tuple[Change, ...]:
    """What is required comes first, what is removed leaves before what it stood on.

    Where nothing else decides, the kinds' ranks do, then depth, then the name.
    Errors: ReconcileError where requirements go round in a circle.
    """
    by_ref = {change.ref: change for change in changes}
    sorter = TopologicalSorter(_predecessors(by_ref))
    try:
        sorter.prepare()
    except CycleError as error:
        circle = " → ".join(str(ref) for ref in error.args[1])
        raise ReconcileError(
            "The resources cannot be put in order.",
            f"they require each other: {circle}",
            "Nothing was changed. Remove one of these dependencies.",
        ) from None
    return tuple(by_ref[ref] for ref in _drained(sorter, by_ref))


def _drained(sorter: TopologicalSorter[Ref], by_ref: Mapping[Ref, Change]) -> Iterable[Ref]:
    """Of all that may come next, always the one of the lowest rank."""
    ready = [(_rank(by_ref[ref]), ref) for ref in sorter.get_ready()]
    heapify(ready)
    while ready:
        _, ref = heappop(ready)
        yield ref
        sorter.done(ref)
        for freed in sorter.get_ready():
            heappush(ready, (_rank(by_ref[freed]), freed))


def _rank(change: Change) -> Rank:
    kind, name = change.ref
    depth = name.count("/")
    if change.after is None:
        return (change.subject.removal_order, -depth, kind, name)
    return (change.subject.order, depth, kind, name)


def _predecessors(by_ref: Mapping[Ref, Change]) -> dict[Ref, set[Ref]]:
    """For each change, those that must be done before it."""
    first: dict[Ref, set[Ref]] = {ref: set() for ref in by_ref}
    for ref, change in by_ref.items():
        for required in change.subject.requires():
            if required == ref or required not in by_ref:
                continue
            removed = by_ref[required].after is None
            if change.after is None and removed:
                first[required].add(ref)
            elif change.after is not None and not removed:
                first[ref].add(required)
    for ref, removal in _under_another_kind(by_ref):
        first[ref].add(removal)
    return first


def _under_another_kind(by_ref: Mapping[Ref, Change]) -> Iterable[tuple[Ref, Ref]]:
    """What is made in the very place that something else leaves, with what leaves."""
    leaving = {ref.name: ref for ref, change in by_ref.items() if change.after is None}
    for ref, change in by_ref.items():
        if change.after is not None and ref.name in leaving:
            yield ref, leaving[ref.name]
