"""What an apply reports: its events while it runs, and its result."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Literal

from reconcile.dataclass import dataclass
from reconcile.engine.model import Change, Check, Plan
from reconcile.errors import ExitCode

ApplyResult = Literal["no_changes", "applied", "rolled_back", "failed"]


@dataclass(frozen=True)
class Event:
    """A step of an apply as it happens; `done` of `total` files in a long one."""

    type: Literal[
        "planned_change",
        "preparing",
        "apply_start",
        "apply_progress",
        "apply_complete",
        "apply_errored",
        "rollback",
        "check",
        "note",
    ]
    change: Change | None = None
    check: Check | None = None
    message: str = ""
    elapsed_s: float = 0.0
    done: int = 0
    total: int = 0


EventHandler = Callable[[Event], None]


def discard_event(event: Event) -> None:
    """The handler where no one follows the apply."""


@dataclass(frozen=True)
class Report:
    """What an apply did, and the checks that followed."""

    plan: Plan
    result: ApplyResult
    done: tuple[Change, ...] = ()
    checks: tuple[Check, ...] = ()
    error: str = ""
    why: str = ""
    fix: str = ""
    elapsed_s: float = 0.0
    notes: tuple[str, ...] = field(default=())
    ended_by: int = 0
    """The signal that ended it, 0 for none."""
    restored: bool = True
    """Whether a rollback left everything as it was."""
    is_stale: bool = False
    """Whether it ended because the host changed after it was planned."""
    confirm_by: str = ""
    """When it is rolled back unless it is confirmed, in UTC; "" where that is not needed."""

    def exit_code(self, *, detailed: bool) -> int:
        """3 after a rollback, 5 where the host had moved, 1 for any other failure.

        128 + number for a signal.
        """
        if self.ended_by:
            return 128 + self.ended_by
        if self.result == "failed":
            return ExitCode.ERROR
        if self.result == "rolled_back":
            return ExitCode.STALE_PLAN if self.is_stale else ExitCode.VERIFICATION_FAILED
        return ExitCode.CHANGES if detailed and self.done else ExitCode.OK
