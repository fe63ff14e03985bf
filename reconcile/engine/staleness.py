"""Whether a plan that was approved is still the plan: the only place that decides it."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.engine.model import Digests, PlanInputs
from reconcile.errors import StalePlan


def refuse_stale(approved: PlanInputs, current: PlanInputs) -> None:
    """Refuse everything but the approved plan. Errors: StalePlan, naming all that changed."""
    changed = what_changed(approved, current)
    if changed:
        raise StalePlan(
            "The approved plan is stale.",
            "; ".join(changed),
            "Plan again and review the new plan. Nothing was changed.",
        )


def what_changed(approved: PlanInputs, current: PlanInputs) -> tuple[str, ...]:
    """A clause for each difference from what was approved; () for the same plan."""
    return (*_context(approved, current), *_changes(approved, current))


def _context(approved: PlanInputs, current: PlanInputs) -> Iterator[str]:
    if approved.host != current.host:
        yield f"the plan was made for {approved.host}, this is {current.host}"
    if approved.version != current.version:
        yield f"the plan was made by reconcile {approved.version}, this is {current.version}"
    if approved.config != current.config:
        yield "the configuration file has changed since the plan was made"


def _changes(approved: PlanInputs, current: PlanInputs) -> Iterator[str]:
    for address in sorted(approved.changes.keys() | current.changes.keys()):
        if address not in current.changes:
            yield f"{address} no longer needs a change"
        elif address not in approved.changes:
            yield f"{address} needs a change that was not approved"
        else:
            yield from _sides(address, approved.changes[address], current.changes[address])


def _sides(
    address: str,
    approved: tuple[Digests | None, Digests | None],
    current: tuple[Digests | None, Digests | None],
) -> Iterator[str]:
    sides = ("on the host", "in the desired state")
    for old, new, side in zip(approved, current, sides, strict=True):
        if old == new:
            continue
        if old is None or new is None:
            yield f"{address}: {'appeared' if old is None else 'vanished'} {side}"
            continue
        names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
        yield f"{address}: {', '.join(names)} changed {side}"
