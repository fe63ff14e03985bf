"""The notes of `reconcile adopt`, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from pydantic import Field

from reconcile.engine.model import Plan
from reconcile.output.documents import Document, Head
from reconcile.output.escape import printable
from reconcile.output.json import head
from reconcile.output.style import PLAIN, Style


class AdoptedNote(Document):
    """Something that the YAML cannot express; `place` is its position on the host, or ""."""

    place: str
    what: str
    fix: str


class AdoptDocument(Head):
    """`reconcile adopt --json`."""

    sites: list[str]
    yaml: str = Field(description="The file, comments included")
    notes: list[AdoptedNote]
    plan_is_empty: bool | None = Field(description="null where checking it needs root")
    exit_code: int


class NoteLike(Protocol):
    """One note of an adoption."""

    @property
    def place(self) -> str: ...
    @property
    def what(self) -> str: ...
    @property
    def fix(self) -> str: ...


class Adoption(Protocol):
    """The result of an adoption."""

    @property
    def text(self) -> str: ...
    @property
    def sites(self) -> tuple[str, ...]: ...
    @property
    def notes(self) -> Sequence[NoteLike]: ...
    @property
    def plan(self) -> Plan | None: ...
    @property
    def exit_code(self) -> int: ...


def adopt_document(found: Adoption, host: str, *, now: datetime) -> AdoptDocument:
    """The object of `adopt --json`."""
    plan = found.plan
    return AdoptDocument(
        **head(host, now),
        sites=list(found.sites),
        yaml=found.text,
        notes=[AdoptedNote(place=one.place, what=one.what, fix=one.fix) for one in found.notes],
        plan_is_empty=None if plan is None else not plan.exit_code(detailed=True),
        exit_code=found.exit_code,
    )


def notes_text(found: Adoption, style: Style = PLAIN) -> str:
    """A line per note, then the number of sites."""
    lines: list[str] = []
    for note in found.notes:
        place = f" ({printable(note.place)})" if note.place else ""
        lines += style.wrap(f"Note: {printable(note.what)}{place}", hanging="  ")
        lines += style.wrap(f"fix: {printable(note.fix)}", "  ", "       ") if note.fix else []
    count = len(found.sites)
    named = f": {', '.join(map(printable, found.sites))}" if count else ""
    sites = f"{count} {'site' if count == 1 else 'sites'}{named}."
    is_empty = found.plan is not None and not found.plan.exit_code(detailed=True)
    return "\n".join([*lines, sites + (" A plan with it shows no changes." if is_empty else "")])
