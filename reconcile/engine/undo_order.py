"""The order in which effects are undone."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Sequence

from reconcile.engine.digest import canonical
from reconcile.filesystem.undo import Stage, Undo, coalesced, to_json


def undo_order(undos: Sequence[Undo]) -> Iterator[Undo]:
    """In reverse; what reads restored files later: units, what was stopped, at last nginx."""
    parts = [*_between_switches(undos)]
    for number, part in reversed([*enumerate(parts)]):
        # A unit whose file was written before the switch is restored with that file, and once.
        later = _units([undo for one in parts[:number] for undo in one])
        stages: dict[Stage, list[Undo]] = {stage: [] for stage in Stage}
        for undo in coalesced(part):
            if undo.subject not in later:
                stages[undo.stage].append(undo)
        yield from reversed(stages[Stage.IN_TURN])
        yield from _distinct(stages[Stage.UNITS])
        yield from reversed(stages[Stage.STARTS])
    yield from _distinct([undo for undo in coalesced(undos) if undo.stage == Stage.NGINX])


def _units(undos: Iterable[Undo]) -> set[Hashable]:
    units = (undo for undo in undos if undo.stage == Stage.UNITS and undo.affects)
    return {undo.subject for undo in units if undo.subject is not None}


def _between_switches(undos: Iterable[Undo]) -> Iterator[list[Undo]]:
    """The effects up to a switch, the switch alone, and those after it.

    What a switch leads back to has to run before it is undone, and what it led to until then.
    """
    part: list[Undo] = []
    for undo in undos:
        if undo.is_switch:
            yield part
            yield [undo]
            part = []
        else:
            part.append(undo)
    yield part


def _distinct(undos: Sequence[Undo]) -> Iterator[Undo]:
    """One reload undoes any number of them."""
    yield from {canonical(to_json(undo)): undo for undo in undos}.values()
