"""The lines of JSON that an apply prints while it runs, and those of the log."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from reconcile.engine.apply_report import ApplyResult
from reconcile.output.documents import (
    ActionWord,
    CheckItem,
    ConfigFile,
    Counts,
    Document,
    Envelope,
    ErrorDocument,
    ErrorItem,
    ResourceChange,
)


class PlannedChangeEvent(Document):
    """A change of the plan that is about to be applied."""

    type: Literal["planned_change"]
    change: ResourceChange


class ChangeEvent(Document):
    """A change that started, succeeded or failed."""

    type: Literal["apply_start", "apply_complete", "apply_errored"]
    address: str
    action: ActionWord
    message: str
    elapsed_s: float


class NoteEvent(Document):
    """A step of a rollback, or a note."""

    type: Literal["rollback", "note"]
    address: str | None
    message: str


class CheckEvent(Document):
    """A check that has run."""

    type: Literal["check"]
    check: CheckItem


class SummaryEvent(Envelope):
    """The last line of `reconcile apply --json`: what was done."""

    type: Literal["summary"]
    config: ConfigFile | None
    fingerprint: str
    checks: list[CheckItem]
    notes: list[str]
    error: ErrorItem | None
    summary: Counts
    elapsed_s: float
    confirm_by: str | None = Field(
        default=None, description="When it is rolled back unless it is confirmed; RFC 3339, UTC"
    )
    result: ApplyResult
    exit_code: int


ApplyEvent = Annotated[
    PlannedChangeEvent | ChangeEvent | NoteEvent | CheckEvent | SummaryEvent | ErrorDocument,
    Field(discriminator="type"),
]
"""One line of `reconcile apply --json`."""


class LogEntry(Document):
    """A line of `--log-json`: one call that reached the host."""

    time: str
    event: Literal["reading", "effect", "command", "request"]
    call: str = Field(description="Part and method: files.write")
    arguments: dict[str, str] = Field(description="Paths, names and modes; nothing secret")
    outcome: str = Field(description="What the result is, never its content")
    error: str = Field(description='"" where the call did not fail')
    elapsed_ms: float
