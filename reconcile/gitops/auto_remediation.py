"""Whether drift may be reverted automatically: never pending or unreadable changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconcile.engine.drift_report import Drift
    from reconcile.gitops.drift_state import DriftState


def why_not_healing(drift: Drift, memory: DriftState) -> str | None:
    """Why drift is not reverted now: "" where there is none, None where it may be reverted."""
    plan = drift.plan
    if plan.hold is not None:
        return "Not healing: a hold is in force."
    if not plan.changes:
        return ""
    if drift.applying:
        return "Not healing: an apply is in progress."
    if plan.unknown or plan.conflicts:
        return "Not healing: a part of the host could not be read."
    waiting = sum(change.cause != "drift" for change in plan.changes)
    if waiting:
        return f"Not healing: {waiting} of the changes are pending and need an apply."
    if memory.failed_heal == plan.fingerprint:
        return "Not healing: this change was already attempted and failed."
    return None
