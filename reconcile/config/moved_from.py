"""`moved_from`: the name that an entry of a section had so far."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol

from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc


class Movable(Protocol):
    """An entry that may have had another name."""

    @property
    def moved_from(self) -> str | None:
        """That name."""


def check_moved_from(
    loc: Loc, old: str | None, entries: Mapping[str, Movable]
) -> Iterator[Violation]:
    """The old name is free, and only one entry comes from it."""
    if old is None:
        return
    at = (*loc, "moved_from")
    if old in entries:
        message = f"{old} is still declared, so {loc[-1]} cannot come from it"
        yield Violation(at, message, "remove one of them", is_independent=True)
        return
    others = [name for name, one in entries.items() if one.moved_from == old and name != loc[-1]]
    if others:
        message = f"{others[0]} comes from {old}, too"
        yield Violation(at, message, "name it once", is_independent=True)
