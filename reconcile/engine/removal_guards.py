"""Entries of the YAML with `prevent_destroy`: no plan removes what belongs to them.

The ledger records them, so that they hold although the entry itself is gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Set

from reconcile.engine.ledger import Rows
from reconcile.engine.model import Plan
from reconcile.engine.moves import Moves
from reconcile.engine.resource import Ref
from reconcile.errors import ReconcileError


def guard_refusals(
    plan: Plan, rows: Rows, chosen: Set[Ref], moves: Moves, declared: Mapping[str, bool]
) -> tuple[ReconcileError, ...]:
    """Why `plan` is refused, once for each entry that it would remove.

    `rows` are those of the ledger, of which the plan covers `chosen`; `declared` has every
    entry of the YAML, and whether it must not be removed.
    """
    removed = {change.ref for change in plan.changes if change.after is None and not change.moved}
    refusals: dict[str, ReconcileError] = {}
    for ref in sorted(rows.keys() & chosen):
        for guard in (moves.guard(name) for name in rows[ref].guards):
            if guard not in refusals:
                refusals.update(_refusals(guard, ref, removed, declared))
    return tuple(refusals.values())


def _refusals(
    guard: str, ref: Ref, removed: Set[Ref], declared: Mapping[str, bool]
) -> Iterator[tuple[str, ReconcileError]]:
    if guard not in declared:
        why = "the configuration no longer declares it"
    elif declared[guard] and ref in removed:
        why = f"the plan removes {ref}"
    else:
        return
    yield (
        guard,
        ReconcileError(
            f"{guard} must not be removed: it was applied with `prevent_destroy`.",
            why,
            "Restore it; or apply it once with `prevent_destroy: false`, then remove it."
            " Nothing was changed.",
        ),
    )
