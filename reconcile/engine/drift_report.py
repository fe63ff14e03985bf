"""Whether a host matches its configuration and answers, and since when not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import Literal, NamedTuple

from reconcile.dataclass import dataclass
from reconcile.engine.checks import failed_checks
from reconcile.engine.history import HistoryRow
from reconcile.engine.model import Cause, Change, Check, Plan
from reconcile.errors import ExitCode

State = Literal["in_sync", "drift", "unhealthy", "unknown"]
STATES: tuple[State, ...] = ("in_sync", "drift", "unhealthy", "unknown")
WHOLE_RESOURCE = "*"
"""The field of a deviation where a resource as a whole is missing or has to be removed."""
FirstSeen = Mapping[str, Mapping[str, str]]
"""Address → field → when it was first observed to differ, in UTC."""


class Deviation(NamedTuple):
    """One field that differs from its declaration."""

    address: str
    field: str
    cause: Cause
    first_seen: str


@dataclass(frozen=True)
class Drift:
    """The result of one drift check.

    `at` is when it began, in UTC; `known_first_seen` and `known_last_success` are what earlier
    checks recorded. `applying` describes an apply that runs meanwhile, "" for none. `healed`
    are the addresses that were reverted just before; `last_apply` is the last one before it.
    """

    plan: Plan
    checks: tuple[Check, ...]
    at: str
    known_first_seen: FirstSeen = field(default_factory=dict)
    known_last_success: str | None = None
    applying: str = ""
    elapsed_s: float = 0.0
    healed: tuple[str, ...] = ()
    last_apply: HistoryRow | None = None

    @property
    def in_sync(self) -> bool:
        """Whether nothing differs and everything could be read."""
        return self.plan.exit_code(detailed=True) == ExitCode.OK

    @property
    def healthy(self) -> bool:
        """Whether every check passed."""
        return not failed_checks(self.checks)

    @property
    def exit_code(self) -> ExitCode:
        """1 if a reading failed, else 2 for any difference, else 3 for a failed check."""
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
        """Every field that differs, in the order of the plan."""
        return tuple(
            Deviation(
                address, name, cause, self.known_first_seen.get(address, {}).get(name, self.at)
            )
            for address, name, cause in _deviating_fields(self.plan)
        )

    @property
    def first_seen(self) -> str | None:
        """Since when anything differs."""
        return min((item.first_seen for item in self.deviations), default=None)

    @property
    def last_success(self) -> str | None:
        """When the host was last found in sync and healthy."""
        return self.at if self.exit_code == ExitCode.OK else self.known_last_success

    @property
    def first_seen_by_field(self) -> dict[str, dict[str, str]]:
        """What the next check needs to know."""
        found: dict[str, dict[str, str]] = {}
        for item in self.deviations:
            found.setdefault(item.address, {})[item.field] = item.first_seen
        return found

    def count(self, cause: Cause) -> int:
        """How many changes have this cause."""
        return sum(change.cause == cause for change in self.plan.changes)


def _deviating_fields(plan: Plan) -> Iterator[tuple[str, str, Cause]]:
    for change in plan.changes:
        for name, cause in _fields_of(change):
            yield str(change.ref), name, cause


def _fields_of(change: Change) -> list[tuple[str, Cause]]:
    if change.action == "update":
        return [(item.name, item.cause) for item in change.fields]
    return [(WHOLE_RESOURCE, change.cause)]
