"""Drift alerts: when to send one, and its text (addresses and causes, never values)."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from reconcile.engine.checks import failed_checks
from reconcile.engine.digest import digest
from reconcile.gitops.drift_state import DriftState, SentAlert
from reconcile.output.escape import printable

if TYPE_CHECKING:
    from reconcile.engine.drift_report import Drift, State

MOST_LINES = 20
_TITLES: dict[State, str] = {
    "in_sync": "in sync again",
    "drift": "drift detected",
    "unhealthy": "in sync, but probes fail",
    "unknown": "could not be read completely",
}


def fingerprint(drift: Drift) -> str:
    """A digest that is equal for equal alerts."""
    parts = sorted((item.address, item.field) for item in drift.deviations)
    unread = sorted(str(reading.ref) for reading in drift.plan.unknown)
    bad = sorted(check.name for check in failed_checks(drift.checks))
    return digest([drift.state, parts, unread, bad])


def should_notify(drift: Drift, memory: DriftState, remind_s: float) -> bool:
    """Whether to send an alert: on a change, or to repeat an unchanged bad state."""
    if drift.applying:
        return False
    if drift.healed:
        return True
    last = memory.notified
    if drift.state == "in_sync":
        return last is not None and last.state != "in_sync"
    if last is None or last.key != fingerprint(drift):
        return True
    return seconds_between(last.at, drift.at) >= remind_s


def with_sent_alert(drift: Drift, memory: DriftState) -> DriftState:
    """Return `memory` with this alert recorded as sent."""
    sent = SentAlert(key=fingerprint(drift), state=drift.state, at=drift.at)
    return memory.model_copy(update={"notified": sent})


def alert_text(drift: Drift) -> tuple[str, str]:
    """The title and the text of the alert."""
    news = "drift was reverted" if drift.healed else _TITLES[drift.state]
    lines = [*(f"reverted: {printable(address)}" for address in drift.healed), *_alert_lines(drift)]
    more = [f"and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    body = "\n".join([*lines[:MOST_LINES], *more])
    return f"{printable(drift.plan.host)}: {news}", body or "The host matches the configuration."


def seconds_between(earlier: str, later: str) -> float:
    """Return the seconds between two ISO 8601 times."""
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def _alert_lines(drift: Drift) -> list[str]:
    changes = [
        f"{change.cause}: {printable(str(change.ref))} ({change.action})"
        for change in drift.plan.changes
    ]
    unread = [f"failed to read: {printable(str(item.ref))}" for item in drift.plan.unknown]
    bad = [f"failed: {printable(check.name)}" for check in failed_checks(drift.checks)]
    return [*unread, *changes, *bad]
