"""The JSON of the history: who applied what, its steps and its texts."""

from __future__ import annotations

from reconcile.output.documents import Document, Envelope


class HistoryChange(Document):
    """One change of an apply, as the history records it."""

    address: str
    action: str
    cause: str


class HistoryItem(Document):
    """One apply; `at` is in UTC."""

    number: int
    at: str
    user: str
    command: str
    git_commit: str | None
    result: str
    changes: list[HistoryChange]
    config_digest: str
    fingerprint: str
    error: str
    duration_s: float


class HistoryDocument(Envelope):
    """`reconcile history --json`; `problems` lists where the record was edited or truncated."""

    entries: list[HistoryItem]
    problems: list[str]
    exit_code: int


class ChangedTextItem(Document):
    """A text that an apply changed; `omitted` is why `diff` is empty, else empty itself."""

    address: str
    action: str
    field: str
    diff: str
    omitted: str


class StepItem(Document):
    """A step of a release; `error` is empty where it succeeded.

    `output` is its end: so many characters before it are `omitted`.
    """

    address: str
    release: str
    command: str
    elapsed_s: float
    error: str
    output: str
    omitted: int


class AppliedDocument(Envelope):
    """`reconcile history show N --json`; with `--diff`, `texts` is null where none are kept."""

    entry: HistoryItem
    steps: list[StepItem] = []
    texts: list[ChangedTextItem] | None = None
    exit_code: int
