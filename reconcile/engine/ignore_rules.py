"""Differences that are declared to be none: counted and shown, never acted upon."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from fnmatch import fnmatchcase
from typing import NamedTuple

from reconcile.dataclass import dataclass
from reconcile.engine.model import Declared, Desired, Finding, Ignored, Observed, Position
from reconcile.engine.resource import Ref, Resource


@dataclass(frozen=True)
class IgnoredField:
    """`ref` is a pattern of addresses; the rule holds up to and with the day `until`."""

    ref: str
    field: str
    reason: str
    until: date | None
    place: Position

    def is_expired(self, today: date) -> bool:
        return self.until is not None and self.until < today


class IgnoreResult(NamedTuple):
    """What is left to compare, and what was taken out of it."""

    desired: Desired
    observed: Observed
    ignored: tuple[Ignored, ...] = ()
    findings: tuple[Finding, ...] = ()


def apply_ignore_rules(
    desired: Desired, observed: Observed, rules: Sequence[IgnoredField], today: date
) -> IgnoreResult:
    """Take out every difference that a rule names; what is absent is never ignored."""
    if not rules:
        return IgnoreResult(desired, observed)
    asked, seen, ignored = dict(desired), dict(observed), []
    for rule in (rule for rule in rules if not rule.is_expired(today)):
        for ref in [ref for ref in desired if fnmatchcase(str(ref), rule.ref)]:
            left = _left(asked[ref].resource, seen.get(ref), rule.field)
            if left is not None:
                wanted, there = left
                asked[ref] = Declared(wanted, asked[ref].sites, asked[ref].positions)
                seen[ref] = there
                ignored.append(Ignored(str(ref), rule.field, rule.reason, _day(rule.until)))
    return IgnoreResult(asked, seen, tuple(ignored), tuple(_findings(desired, rules, today)))


def _left(wanted: Resource, there: object, field: str) -> tuple[Resource, Resource] | None:
    return wanted.ignoring(field, there) if isinstance(there, Resource) else None


def _findings(desired: Desired, rules: Sequence[IgnoredField], today: date) -> Iterator[Finding]:
    for rule in rules:
        if rule.is_expired(today):
            yield Finding(
                "ignore-expired",
                "warning",
                f"{rule.field} of {rule.ref} is ignored no more: {_day(rule.until)} is over."
                f" It was: {rule.reason}",
                (str(rule.place),),
                "Remove the rule, or set a later `until`.",
            )
        elif not any(_concerns(rule, ref, desired) for ref in desired):
            yield Finding(
                "ignore-unused",
                "note",
                f"No resource here has {rule.field} and is {rule.ref}.",
                (str(rule.place),),
                "Remove the rule, or name it as the plan does.",
            )


def _concerns(rule: IgnoredField, ref: Ref, desired: Desired) -> bool:
    resource = desired[ref].resource
    return fnmatchcase(str(ref), rule.ref) and rule.field in resource.ignorable()


def _day(until: date | None) -> str:
    return until.isoformat() if until else ""
