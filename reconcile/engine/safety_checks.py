"""Plans that are refused, however well they were computed."""

from __future__ import annotations

from collections.abc import Sized

from reconcile.engine.model import Plan
from reconcile.errors import ReconcileError


def refuse_unclear(plan: Plan) -> None:
    """Refuse to act on declarations that conflict or on a host that could not be read."""
    if plan.conflicts:
        why = "; ".join(
            f"{c.ref} {c.field}: {c.values[0]} or {c.values[1]}"
            f" ({', '.join(str(place) for place in c.positions)})"
            for c in plan.conflicts
        )
        raise ReconcileError(
            "The configuration contradicts itself.",
            why,
            "Make the declarations agree. Nothing was changed.",
        )
    if plan.unknown:
        raise ReconcileError(
            "A part of the host could not be read.",
            "; ".join(f"{unknown.ref}: {unknown.reason}" for unknown in plan.unknown),
            "Remove the cause, or leave that part out with --exclude. Nothing was changed.",
        )


def refuse_excess(plan: Plan, *, max_deletes: int | None) -> None:
    """Refuse a plan that deletes more than the user allowed."""
    deletes = plan.count("delete")
    if max_deletes is not None and deletes > max_deletes:
        raise ReconcileError(
            f"The plan destroys more than it may: {deletes}, where {max_deletes} is the most.",
            "More is removed than --max-deletes says.",
            "Look at the plan; if it is right, raise --max-deletes. Nothing was changed.",
        )


def refuse_excessive_share(plan: Plan, owned: int, share: float) -> None:
    """Refuse, where nobody looks, a plan that gives up too large a part of what is owned."""
    given_up = len(plan.released)
    if given_up > owned * share:
        raise ReconcileError(
            f"The plan removes or gives up {given_up} of the {owned} resources that reconcile"
            " owns here.",
            f"An unattended apply may give up {share:.0%} of them.",
            "Look at the plan; if it is right, say --max-deletes, or apply it yourself."
            " Nothing was changed.",
        )


def refuse_emptying(declared: Sized, released: Sized, *, allow_empty: bool) -> None:
    """Refuse a YAML that declares nothing where we would give up something: a wrong file?"""
    if released and not declared and not allow_empty:
        raise ReconcileError(
            "The configuration declares nothing.",
            f"reconcile would remove or give up all {len(released)} resources that it owns here.",
            "Check the file; if that is what you want, say --allow-empty. Nothing was changed.",
        )
