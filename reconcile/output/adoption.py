"""The notes of `reconcile adopt`, as text and as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pydantic import Field

from reconcile.engine.model import Plan
from reconcile.errors import ExitCode
from reconcile.output.documents import Document, Envelope
from reconcile.output.error import fix_lines
from reconcile.output.escape import printable
from reconcile.output.json import envelope
from reconcile.output.style import PLAIN, Style
from reconcile.wording import counted


@dataclass(frozen=True)
class AdoptNote:
    """Something that the YAML cannot express; `place` is its position on the host, or ""."""

    place: str
    what: str
    fix: str = ""

    def __str__(self) -> str:
        return f"{self.what} ({self.place})" if self.place else self.what


@dataclass(frozen=True)
class TextFile:
    """A file beside the YAML; `path` is relative to it. `is_secret`: not everybody may read it."""

    path: str
    data: bytes
    is_secret: bool = False


@dataclass(frozen=True)
class Adopted:
    """The generated YAML, and notes on what it cannot express.

    `plan` is the plan with it, None where that needs root. `secret` is True where the text
    contains something that is not world-readable on the host. `files` hold its large texts.
    """

    text: str
    sites: tuple[str, ...]
    notes: tuple[AdoptNote, ...]
    plan: Plan | None
    complete: bool
    secret: bool
    files: tuple[TextFile, ...] = ()

    @property
    def exit_code(self) -> ExitCode:
        """ERROR where the YAML does not cover everything."""
        return ExitCode.OK if self.complete else ExitCode.ERROR

    @property
    def has_empty_plan(self) -> bool | None:
        """Whether a plan with the YAML shows no changes; None where that needs root."""
        return None if self.plan is None else not self.plan.exit_code(detailed=True)


class AdoptedNote(Document):
    """Something that the YAML cannot express; `place` is its position on the host, or ""."""

    place: str
    what: str
    fix: str


class AdoptDocument(Envelope):
    """`reconcile adopt --json`."""

    sites: list[str]
    yaml: str = Field(description="The file, comments included")
    notes: list[AdoptedNote]
    plan_is_empty: bool | None = Field(description="null where checking it needs root")
    exit_code: int


def adopt_document(adopted: Adopted, host: str, *, now: datetime) -> AdoptDocument:
    """Build the object of `adopt --json`."""
    return AdoptDocument(
        **envelope(host, now),
        sites=adopted.sites,
        yaml=adopted.text,
        notes=adopted.notes,
        plan_is_empty=adopted.has_empty_plan,
        exit_code=adopted.exit_code,
    )


def notes_text(adopted: Adopted, style: Style = PLAIN) -> str:
    """List the notes with their fixes, then the adopted sites."""
    lines: list[str] = []
    for note in adopted.notes:
        place = f" ({printable(note.place)})" if note.place else ""
        lines += style.wrap(f"Note: {printable(note.what)}{place}", hanging="  ")
        lines += fix_lines(note.fix, style)
    names = f": {', '.join(map(printable, adopted.sites))}" if adopted.sites else ""
    end = " A plan with it shows no changes." if adopted.has_empty_plan else ""
    return "\n".join([*lines, f"{counted(len(adopted.sites), 'site')}{names}.{end}"])
