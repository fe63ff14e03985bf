"""A hold: until it is released or expires, no one applies on this host."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from reconcile.dataclass import dataclass
from reconcile.engine.digest import canonical
from reconcile.errors import ExitCode, HoldInForce, ReconcileError
from reconcile.wording import utc_text

if TYPE_CHECKING:
    from reconcile.filesystem.state_dir import StateDir

NAME = "hold.json"
FORMAT = 1
MOST_CHARACTERS = 200


@dataclass(frozen=True)
class Hold:
    """Who holds the host, why, since when and until when; times in UTC, as ISO 8601.

    `until` is None for a hold that only ends when it is released.
    """

    user: str
    reason: str
    since: str
    until: str | None = None

    def __str__(self) -> str:
        end = f"until {self.until}" if self.until else "until it is released"
        return f"{self.user} has held this host since {self.since}, {end}: {self.reason}"

    def is_expired(self, now: datetime) -> bool:
        """Whether its time is over."""
        return self.until is not None and datetime.fromisoformat(self.until) <= now


def new_hold(user: str, reason: str, until: datetime | None, now: datetime) -> Hold:
    """A hold from `now` on. Errors: ReconcileError for an unusable reason or a past end."""
    reason = reason.strip()
    if not reason or not reason.isprintable() or len(reason) > MOST_CHARACTERS:
        raise ReconcileError(
            "The hold has no usable reason",
            f"a reason is one line of up to {MOST_CHARACTERS} characters",
            'Use --reason "TEXT": it is shown to everyone whom the hold stops.',
        )
    if until is not None and until <= now:
        raise ReconcileError(
            "The hold would end before it begins",
            f"{utc_text(until)} has passed",
            "Use a later --until, or leave it out to hold until `reconcile hold --release`.",
        )
    return Hold(user, reason, utc_text(now), utc_text(until) if until else None)


def read_hold(state: StateDir) -> Hold | None:
    """The hold in force at this moment, None where there is none or it has expired.

    Errors: ReconcileError where it cannot be read.
    """
    data = state.read(NAME)
    hold = None if data is None else _decode_hold(data, state.path_of(NAME))
    return None if hold is None or hold.is_expired(datetime.now(UTC)) else hold


def write_hold(state: StateDir, hold: Hold) -> None:
    """Put `hold` in force, in place of any other."""
    state.write(NAME, (canonical(asdict(hold) | {"format": FORMAT}) + "\n").encode())


def release_hold(state: StateDir) -> None:
    """End the hold, if any; also one that cannot be read."""
    state.remove(NAME)


def refuse_held(state: StateDir) -> None:
    """Refuse to apply under a hold. Errors: HoldInForce."""
    hold = read_hold(state)
    if hold is not None:
        raise HoldInForce(
            "A hold is in force on this host",
            str(hold),
            "Wait for its end, or release it: reconcile hold --release. Nothing was changed.",
        )


def exit_code_under(reason: Hold | HoldInForce | None, code: int) -> int:
    """`code` of a plan or a check, or that of a hold; what could not be read outweighs it."""
    return code if reason is None or code == ExitCode.ERROR else ExitCode.HELD


def _decode_hold(data: bytes, path: str) -> Hold:
    try:
        body: dict[str, Any] = json.loads(data)
        hold = Hold(body["user"], body["reason"], body["since"], body["until"])
        hold.is_expired(datetime.now(UTC))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise ReconcileError(
            "The hold cannot be read",
            f"{path} was edited or damaged, or written by a later version of reconcile",
            "Release it: reconcile hold --release. Nothing was changed.",
        ) from None
    return hold
