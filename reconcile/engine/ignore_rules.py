"""Differences that the YAML ignores: counted and shown, never changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date
from fnmatch import fnmatchcase
from typing import NamedTuple

from reconcile.dataclass import dataclass
from reconcile.engine.model import Declared, Desired, Finding, Ignored, Observed, Position, Unknown
from reconcile.engine.resource import Ref, Resource


@dataclass(frozen=True)
class IgnoredField:
    """One rule: `ref` is a pattern of addresses; it is valid through the day `until`."""

    ref: str
    field: str
    reason: str
    until: date | None
    place: Position

    def is_expired(self, today: date) -> bool:
        """Whether its last day is over."""
        return self.until is not None and self.until < today


class IgnoreResult(NamedTuple):
    """What is left to compare, and what was ignored."""

    desired: Desired
    observed: Observed
    ignored: tuple[Ignored, ...] = ()
    findings: tuple[Finding, ...] = ()


def apply_ignore_rules(
    desired: Desired, observed: Observed, rules: Sequence[IgnoredField], today: date
) -> IgnoreResult:
    """Remove every difference that a rule matches; an absent resource is never ignored."""
    if not rules:
        return IgnoreResult(desired, observed)
    wanted, existing, ignored = dict(desired), dict(observed), []
    for rule in (rule for rule in rules if not rule.is_expired(today)):
        for ref in [ref for ref in desired if fnmatchcase(str(ref), rule.ref)]:
            compared = _ignoring(wanted[ref].resource, existing.get(ref), rule.field)
            if compared is not None:
                wanted[ref] = replace(wanted[ref], resource=compared[0])
                existing[ref] = compared[1]
                ignored.append(Ignored(str(ref), rule.field, rule.reason, _day(rule.until)))
    return IgnoreResult(wanted, existing, tuple(ignored), tuple(_findings(desired, rules, today)))


def without_ignored(
    rules: Sequence[IgnoredField],
    today: date,
    declared: Declared,
    reading: Resource | Unknown | None,
) -> tuple[Declared, Resource | Unknown | None]:
    """One desired resource and its reading, without the differences that a rule matches."""
    ref = declared.resource.ref
    left = apply_ignore_rules({ref: declared}, {ref: reading}, rules, today)
    return left.desired[ref], left.observed[ref]


def _ignoring(desired: Resource, observed: object, field: str) -> tuple[Resource, Resource] | None:
    return desired.ignoring(field, observed) if isinstance(observed, Resource) else None


def _findings(desired: Desired, rules: Sequence[IgnoredField], today: date) -> Iterator[Finding]:
    for rule in rules:
        if rule.is_expired(today):
            yield Finding(
                "ignore-expired",
                "warning",
                f"The ignore rule for {rule.field} of {rule.ref} expired on {_day(rule.until)}."
                f" Its reason was: {rule.reason}",
                (str(rule.place),),
                "Remove the rule, or set a later `until`.",
            )
        elif not any(_matches(rule, ref, desired) for ref in desired):
            yield Finding(
                "ignore-unused",
                "note",
                f"No resource matches the ignore rule for {rule.field} of {rule.ref}.",
                (str(rule.place),),
                "Remove the rule, or use the address and field that the plan shows.",
            )


def _matches(rule: IgnoredField, ref: Ref, desired: Desired) -> bool:
    resource = desired[ref].resource
    return fnmatchcase(str(ref), rule.ref) and rule.field in resource.ignorable()


def _day(until: date | None) -> str:
    return until.isoformat() if until else ""
