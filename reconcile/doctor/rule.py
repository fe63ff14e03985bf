"""The words of the doctor: a rule, what it says, and what it could not look at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from reconcile.engine.model import Finding, Severity, Unknown
from reconcile.errors import ExitCode
from reconcile.nginx.routing.location_match import Indeterminate

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection

T = TypeVar("T")
F = TypeVar("F")


@dataclass(frozen=True)
class Inconclusive:
    """Something that a rule should have looked at and could not."""

    what: str
    why: str


RuleResult = Finding | Inconclusive


@dataclass(frozen=True)
class Rule:
    """One thing that can be wrong with a host.

    `rows` are the rows of `guide.ROWS` that it covers. `look` reads the inspection and changes
    nothing; an error ends this rule alone, and is told as unknown.
    """

    id: str
    guide_rows: tuple[str, ...]
    check: Callable[[HostInspection], Iterator[RuleResult]]


def check_each(
    things: Iterable[T], check: Callable[[T], Iterable[RuleResult]]
) -> Iterator[RuleResult]:
    """What `look` says of each; what nginx does with one and nobody can tell hides no other."""
    unseen: dict[Inconclusive, None] = {}
    for thing in things:
        try:
            yield from check(thing)
        except Indeterminate as undecided:
            unseen[Inconclusive(str(thing), undecided.reason)] = None
    yield from unseen


def collect(
    things: Iterable[T], find: Callable[[T], Iterable[F]]
) -> tuple[tuple[F, ...], tuple[Inconclusive, ...]]:
    """What `find` finds in each; and what it could not, since nobody can tell what nginx does."""
    found: list[F] = []
    unseen: dict[Inconclusive, None] = {}
    for thing in things:
        try:
            found += find(thing)
        except Indeterminate as undecided:
            unseen[Inconclusive(str(thing), undecided.reason)] = None
    return tuple(found), tuple(unseen)


@dataclass(frozen=True)
class Diagnosis:
    """All that was found, worst first, and all that could not be looked at."""

    host: str
    findings: tuple[Finding, ...]
    unknown: tuple[Unknown, ...]
    rules: int

    def exit_code(self) -> ExitCode:
        """1 where something could not be looked at, 2 for findings; notes do not count."""
        if self.unknown:
            return ExitCode.ERROR
        serious = any(finding.severity != "note" for finding in self.findings)
        return ExitCode.CHANGES if serious else ExitCode.OK


def error(what: str, *evidence: str, fix: str, by_apply: bool = False) -> Finding:
    """Something that does not work, or that lets strangers in."""
    return _finding("error", what, evidence, fix, by_apply)


def warning(what: str, *evidence: str, fix: str, by_apply: bool = False) -> Finding:
    """Something that works now and will hurt."""
    return _finding("warning", what, evidence, fix, by_apply)


def note(what: str, *evidence: str, fix: str = "") -> Finding:
    """Something to know; it does not change the exit code."""
    return _finding("note", what, evidence, fix, False)


def _finding(
    severity: Severity, what: str, evidence: tuple[str, ...], fix: str, by_apply: bool
) -> Finding:
    # Its rule and its row of the guide are the same for all that a rule says: see run.py.
    return Finding("", severity, what, evidence, fix, by_apply)
