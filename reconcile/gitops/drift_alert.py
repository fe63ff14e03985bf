"""Whether there is news to tell, and its words: addresses and causes, never a value."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from reconcile.engine.digest import digest
from reconcile.engine.model import failed_checks
from reconcile.gitops.drift_state import Memory, Notified
from reconcile.output.escape import printable

if TYPE_CHECKING:
    from reconcile.engine.drift_report import Drift, State

MOST_LINES = 20
_TITLES: dict[State, str] = {
    "in_sync": "in sync again",
    "drift": "not as declared",
    "unhealthy": "as declared, but does not answer as it should",
    "unknown": "could not be read in full",
}


def key(drift: Drift) -> str:
    """The same for the same news."""
    parts = sorted((item.address, item.field) for item in drift.deviations)
    unread = sorted(str(reading.ref) for reading in drift.plan.unknown)
    bad = sorted(check.name for check in failed_checks(drift.checks))
    return digest([drift.state, parts, unread, bad])


def is_news(drift: Drift, memory: Memory, remind_s: float) -> bool:
    """Whether to send a message: on a change of state, or as a reminder of a bad one."""
    if drift.applying:
        return False
    if drift.healed:
        return True
    last = memory.notified
    if drift.state == "in_sync":
        return last is not None and last.state != "in_sync"
    if last is None or last.key != key(drift):
        return True
    return seconds_between(last.at, drift.at) >= remind_s


def told(drift: Drift, memory: Memory) -> Memory:
    """What to remember once the message has gone out."""
    sent = Notified(key=key(drift), state=drift.state, at=drift.at)
    return memory.model_copy(update={"notified": sent})


def message(drift: Drift) -> tuple[str, str]:
    """Title and text."""
    news = "drift was mended" if drift.healed else _TITLES[drift.state]
    lines = [*(f"mended: {printable(address)}" for address in drift.healed), *_lines(drift)]
    more = [f"and {len(lines) - MOST_LINES} more"] if len(lines) > MOST_LINES else []
    body = "\n".join([*lines[:MOST_LINES], *more])
    return f"{printable(drift.plan.host)}: {news}", body or "The host matches the configuration."


def seconds_between(earlier: str, later: str) -> float:
    return (datetime.fromisoformat(later) - datetime.fromisoformat(earlier)).total_seconds()


def _lines(drift: Drift) -> list[str]:
    changes = [
        f"{change.cause}: {printable(str(change.ref))} ({change.action})"
        for change in drift.plan.changes
    ]
    unread = [f"could not be read: {printable(str(item.ref))}" for item in drift.plan.unknown]
    bad = [f"failed: {printable(check.name)}" for check in failed_checks(drift.checks)]
    return [*unread, *changes, *bad]
