"""What a rule of the doctor is: declared data, a check, and the results that it yields."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeVar

from reconcile.engine.model import Finding, Severity
from reconcile.nginx.routing.indeterminate import Indeterminate

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection

Reading = Literal[
    "app",
    "certificates",
    "compose",
    "configuration",
    "files",
    "logs",
    "processes",
    "requests",
    "units",
]
"""What a rule reads of a host; "app" imports the app's code, "requests" sends some to nginx."""
T = TypeVar("T")
F = TypeVar("F")


@dataclass(frozen=True)
class Inconclusive:
    """Something that a rule could not check, and why."""

    what: str
    why: str


RuleResult = Finding | Inconclusive


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One kind of fault, with the check that finds it.

    `summary`: the fault in one line. `severity`: the worst that the rule reports. `help`: what it
    means for visitors or data, and what to do. `guide_rows`: the keys of `guide_rows.ROWS` that it
    covers. `yaml_key`: the key of a site that decides what it is about. `check` reads the host, of
    it the kinds in `reads` alone, and changes nothing.

    Errors: an exception of `check` ends this rule alone, and is reported as unknown.
    """

    id: str
    summary: str
    severity: Severity
    help: str
    reads: tuple[Reading, ...]
    check: Callable[[HostInspection], Iterator[RuleResult]]
    guide_rows: tuple[str, ...] = ()
    yaml_key: str = ""

    @property
    def page(self) -> str:
        """Its page in the documentation, relative to the project."""
        return f"docs/doctor/{self.id}.md"


def check_each(items: Iterable[T], check: Callable[[T], Iterable[F]]) -> Iterator[F | Inconclusive]:
    """Yield the results of `check` for each item; an indeterminate item hides no other."""
    inconclusive: dict[Inconclusive, None] = {}
    for item in items:
        try:
            yield from check(item)
        except Indeterminate as unclear:
            inconclusive[Inconclusive(str(item), unclear.reason)] = None
    yield from inconclusive


def error(what: str, *evidence: str, fix: str, apply_fixes: bool = False) -> Finding:
    """A finding about something that does not work, or is exposed."""
    return _finding("error", what, evidence, fix, apply_fixes)


def warning(what: str, *evidence: str, fix: str, apply_fixes: bool = False) -> Finding:
    """A finding about something that works now and will cause harm."""
    return _finding("warning", what, evidence, fix, apply_fixes)


def caused(found: Finding, cause: str, *, is_symptom: bool = False) -> Finding:
    """The finding with what has to be fixed, in the words of all findings that it leads to."""
    return replace(found, cause=cause, is_symptom=is_symptom)


def note(what: str, *evidence: str, fix: str = "", apply_fixes: bool = False) -> Finding:
    """A finding about what could be better; it does not change the exit code."""
    return _finding("note", what, evidence, fix, apply_fixes)


def _finding(
    severity: Severity, what: str, evidence: tuple[str, ...], fix: str, apply_fixes: bool
) -> Finding:
    # diagnosis.py adds the rule and its rows of the guide: they are the same for all its findings.
    return Finding("", severity, what, evidence, fix, apply_fixes)
