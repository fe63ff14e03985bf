"""How a host stands: as declared or not, answering or not, and since when."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Literal, NamedTuple

from reconcile.dataclass import dataclass
from reconcile.engine.model import Cause, Change, Check, Plan, failed
from reconcile.errors import ExitCode

State = Literal["in_sync", "drift", "unhealthy", "unknown"]
STATES: tuple[State, ...] = ("in_sync", "drift", "unhealthy", "unknown")
WHOLE = "*"
"""The field of a change that is about all of a resource: it is missing, or one too many."""
FirstSeen = Mapping[str, Mapping[str, str]]
"""Address → field → when it was first seen to differ, in UTC."""


class Deviation(NamedTuple):
    """One field that is not as declared."""

    address: str
    field: str
    cause: Cause
    first_seen: str


@dataclass(frozen=True)
class Drift:
    """One look at a host; whatever is told of it, in any form, comes from here.

    `at` is when it began, in UTC; `known_success` when all was well before that; `applying`
    says who applies meanwhile, "" if nobody; `mended` are addresses, done just before.
    """

    plan: Plan
    checks: tuple[Check, ...]
    at: str
    known: FirstSeen = field(default_factory=dict)
    known_success: str | None = None
    applying: str = ""
    elapsed_s: float = 0.0
    mended: tuple[str, ...] = ()

    @property
    def in_sync(self) -> bool:
        """A reading that failed is never in sync."""
        return self.plan.exit_code(detailed=True) == ExitCode.OK

    @property
    def healthy(self) -> bool:
        return not failed(self.checks)

    @property
    def exit_code(self) -> ExitCode:
        """What could not be read comes first, then drift, then health."""
        code = self.plan.exit_code(detailed=True)
        if code == ExitCode.OK and not self.healthy:
            return ExitCode.VERIFICATION_FAILED
        return code

    @property
    def state(self) -> State:
        """The exit code as a word."""
        words: dict[int, State] = {
            ExitCode.OK: "in_sync",
            ExitCode.CHANGES: "drift",
            ExitCode.VERIFICATION_FAILED: "unhealthy",
        }
        return words.get(self.exit_code, "unknown")

    @property
    def deviations(self) -> tuple[Deviation, ...]:
        return tuple(
            Deviation(address, name, cause, self.known.get(address, {}).get(name, self.at))
            for address, name, cause in _deviating(self.plan)
        )

    @property
    def first_seen(self) -> str | None:
        """Since when anything differs."""
        return min((item.first_seen for item in self.deviations), default=None)

    @property
    def last_success(self) -> str | None:
        """When the host was last found in sync and healthy."""
        return self.at if self.exit_code == ExitCode.OK else self.known_success

    @property
    def seen(self) -> dict[str, dict[str, str]]:
        """What the next look has to know."""
        found: dict[str, dict[str, str]] = {}
        for item in self.deviations:
            found.setdefault(item.address, {})[item.field] = item.first_seen
        return found

    def count(self, cause: Cause) -> int:
        return sum(change.cause == cause for change in self.plan.changes)


def _deviating(plan: Plan) -> Iterator[tuple[str, str, Cause]]:
    for change in plan.changes:
        for name, cause in _fields(change):
            yield str(change.ref), name, cause


def _fields(change: Change) -> list[tuple[str, Cause]]:
    if change.action == "update":
        return [(item.name, item.cause) for item in change.fields]
    return [(WHOLE, change.cause)]
