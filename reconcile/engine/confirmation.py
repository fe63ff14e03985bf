"""An apply that is rolled back unless a person confirms it in time."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from reconcile.dataclass import dataclass
from reconcile.engine.digest import canonical
from reconcile.engine.history import applies_in_force
from reconcile.errors import HoldInForce, ReconcileError
from reconcile.wording import utc_text

if TYPE_CHECKING:
    from reconcile.engine.history import HistoryRow
    from reconcile.filesystem.state_dir import StateDir
    from reconcile.system.clock import ClockReading

NAME = "confirm.json"
FORMAT = 1
Settings = Mapping[str, str]


@dataclass(frozen=True)
class PendingConfirmation:
    """Apply `number` of `user`, which has to be confirmed.

    `since` and `deadline` are by the wall's clock, in UTC. In the boot `boot_id` the other clock
    decides, which nobody sets: `deadline_since_boot_s`. `host` are the settings of the host that a
    rollback needs, `allowed_s` is the time to confirm it once it is applied.
    """

    number: int
    user: str
    command: str
    since: str
    deadline: str
    boot_id: str
    deadline_since_boot_s: float
    allowed_s: int
    host: Settings

    def __str__(self) -> str:
        return (
            f"Apply #{self.number} by {self.user} ({self.command}) is rolled back at"
            f" {self.deadline} unless it is confirmed"
        )

    def remaining_s(self, now: ClockReading) -> float:
        """Seconds until the deadline, 0 once it has passed.

        After a reboot by the wall's clock, and 0 too where that was set back behind the apply.
        """
        if now.boot_id == self.boot_id:
            return max(self.deadline_since_boot_s - now.since_boot_s, 0.0)
        if now.wall < datetime.fromisoformat(self.since):
            return 0.0
        return max((datetime.fromisoformat(self.deadline) - now.wall).total_seconds(), 0.0)

    def restarted(self, now: ClockReading) -> PendingConfirmation:
        """The same with all of its time left."""
        deadline = utc_text(now.wall + timedelta(seconds=self.allowed_s))
        since_boot_s = now.since_boot_s + self.allowed_s
        return replace(
            self, deadline=deadline, boot_id=now.boot_id, deadline_since_boot_s=since_boot_s
        )


def pending_from(
    number: int, user: str, command: str, allowed_s: int, host: Settings, now: ClockReading
) -> PendingConfirmation:
    """That of an apply that is about to begin."""
    since = utc_text(now.wall)
    begun = PendingConfirmation(number, user, command, since, since, "", 0.0, allowed_s, host)
    return begun.restarted(now)


def read_pending(state: StateDir) -> PendingConfirmation | None:
    """The apply that has to be confirmed, None for none. Errors: ReconcileError."""
    data = state.read(NAME)
    return None if data is None else _decode_confirmation(data, state.path_of(NAME))


def write_pending(state: StateDir, pending: PendingConfirmation) -> None:
    """Record it, durably."""
    state.write(NAME, (canonical(asdict(pending) | {"format": FORMAT}) + "\n").encode())


def remove_pending(state: StateDir) -> None:
    """Nothing has to be confirmed any more."""
    state.remove(NAME)


def apply_to_confirm(state: StateDir, pending: PendingConfirmation) -> HistoryRow | None:
    """The row of the apply; None where it never ended, or was rolled back."""
    rows = (row for row in applies_in_force(state) if row.number == pending.number)
    return next(rows, None)


def refuse_unconfirmed(state: StateDir) -> None:
    """Refuse to apply over an apply that is not confirmed. Errors: HoldInForce."""
    pending = read_pending(state)
    if pending is not None and apply_to_confirm(state, pending) is not None:
        raise HoldInForce(
            "The last apply is not confirmed",
            str(pending),
            "Keep it: reconcile confirm; or undo it now: reconcile rollback. Nothing was changed.",
        )


def _decode_confirmation(data: bytes, path: str) -> PendingConfirmation:
    try:
        body: dict[str, Any] = json.loads(data)
        if body.pop("format") != FORMAT:
            raise ValueError("another format")
        pending = PendingConfirmation(**body)
        datetime.fromisoformat(pending.since)
        datetime.fromisoformat(pending.deadline)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ReconcileError(
            "The apply that has to be confirmed is unknown",
            f"{path} was edited or damaged, or written by a later version of reconcile",
            "See `reconcile history`; undo the last apply with `reconcile rollback` if it should"
            " not stay, then remove that file.",
        ) from None
    return pending
