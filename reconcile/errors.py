"""The one shape of every error that a user sees: what happened, why, and the fix."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes that scripts depend on."""

    OK = 0
    ERROR = 1
    CHANGES = 2
    VERIFICATION_FAILED = 3
    LOCKED = 4
    STALE_PLAN = 5
    HELD = 6


class ReconcileError(Exception):
    """A failure: what happened, why, and how to fix it.

    `what` is one sentence, `why` the cause as its source reports it, `fix` the next step and
    the state that the host is left in.
    """

    exit_code: ExitCode = ExitCode.ERROR
    rule: str = "apply-refused"
    """The id of the finding where a plan predicts that an apply will refuse with this."""

    def __init__(self, what: str, why: str = "", fix: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.why = why
        self.fix = fix

    def __str__(self) -> str:
        parts = [self.what, self.why and f"why: {self.why}", self.fix and f"fix: {self.fix}"]
        return "\n".join(part for part in parts if part)


class LockHeld(ReconcileError):
    """Another apply is running on this host."""

    exit_code = ExitCode.LOCKED


class StalePlan(ReconcileError):
    """The host, the configuration or the version has changed since the plan was approved."""

    exit_code = ExitCode.STALE_PLAN


class HoldInForce(ReconcileError):
    """A person keeps everyone from applying on this host."""

    exit_code = ExitCode.HELD
