"""Whether the host is what was written: after each change, and after all of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from reconcile.engine.diff import differences
from reconcile.errors import ReconcileError
from reconcile.wording import counted

if TYPE_CHECKING:
    from reconcile.engine.model import Change, Plan
    from reconcile.engine.resource import Ref, Resource


class NotConverged(ReconcileError):
    """What was observed after a change is not what was written."""


def refuse_difference(ref: Ref, observed: Resource | None, desired: Resource) -> None:
    """Refuse any difference that is left after writing. Errors: NotConverged."""
    left = differences(observed, desired)
    if observed is not None and not left:
        return
    deviations = "; ".join(f"{f.name} is {f.before!r}, not {f.after!r}" for f in left)
    raise NotConverged(
        f"{ref} does not match the desired state after being written.",
        "it is absent" if observed is None else deviations,
        "Check whether another program changes it, and whether its filesystem supports it.",
    )


def refuse_deletions(revealed: Plan) -> None:
    """Refuse those that nobody approved and no limit counted. Errors: NotConverged."""
    gone = [str(change.ref) for change in revealed.changes if change.action == "delete"]
    if gone:
        raise NotConverged(
            "Changes that became known during the apply would delete something.",
            "; ".join(gone),
            "Plan again: it shows the deletions.",
        )


def refuse_leftovers(done: Plan, left: Plan, add_note: Callable[[str], None]) -> None:
    """Refuse what the plan after `done` would still change: one apply is enough, or it fails.

    Notes each change that is not for this apply to make. Errors: NotConverged.
    """
    excused = {change.ref: note for change in left.changes if (note := _excuse(done, change))}
    for note in excused.values():
        add_note(note)
    # That it is gone was observed; its path may lead through a new link that is not followed.
    removed = {change.ref for change in done.changes if change.after is None}
    reasons = [
        *(
            f"{one.ref}: {one.reason or one.action}"
            for one in left.changes
            if one.ref not in excused
        ),
        *(f"{item.ref}: {item.reason}" for item in left.unknown if item.ref not in removed),
    ]
    if reasons:
        raise NotConverged(
            f"The host still differs after the changes: {counted(len(reasons), 'resource')}.",
            "; ".join(reasons),
            "Check whether another program changes it. If none does, report this as a bug.",
        )


def is_changed_by_others(change: Change) -> bool:
    """Whether others change it at any moment, as an app does its uploads."""
    return change.subject.protected or change.subject.is_shared


def _excuse(done: Plan, change: Change) -> str:
    if is_changed_by_others(change):
        return f"{change.ref} changed during the apply: {change.reason}"
    if _was_left_alone(done, change):
        return (
            f"{change.ref} has files that were left alone while somebody else could write"
            " there: check them, then plan again."
        )
    return ""


def _was_left_alone(done: Plan, change: Change) -> bool:
    """Whether it is only what `done` skipped: the host may prove now whose it is."""
    planned = {one.ref: one.before for one in done.changes}
    first = planned.get(change.ref) or done.in_sync.get(change.ref)
    return first is not None and change.before is not None and first.left_alone(change.before)
