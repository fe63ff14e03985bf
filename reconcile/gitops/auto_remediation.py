"""What may be mended while nobody looks: drift, and nothing that a person has yet to decide."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconcile.engine.drift_report import Drift
    from reconcile.gitops.drift_state import Memory


def why_not(seen: Drift, memory: Memory) -> str | None:
    """Why nothing is mended now, "" where there is nothing to say; None where it may be."""
    plan = seen.plan
    if not plan.changes:
        return ""
    if seen.applying:
        return "Nothing is mended while an apply is at work."
    if plan.unknown or plan.conflicts:
        return "Nothing is mended: a part of the host could not be read."
    waiting = sum(change.cause != "drift" for change in plan.changes)
    if waiting:
        return f"Nothing is mended: {waiting} of the changes are not drift and wait for an apply."
    if memory.failed_heal == plan.fingerprint:
        return "Nothing is mended: the same has been tried before and did not hold."
    return None
