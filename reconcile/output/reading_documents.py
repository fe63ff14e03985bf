"""The reading that a run leaves for collectors: without texts, secrets and evidence."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Literal

from reconcile.engine.apply_report import Report
from reconcile.engine.drift_report import Drift
from reconcile.engine.history import HistoryRow
from reconcile.errors import ReconcileError
from reconcile.output.apply_history import history_item
from reconcile.output.documents import (
    CheckItem,
    DriftDocument,
    ErrorItem,
    FindingItem,
    ResourceChange,
    ResourceConflict,
)
from reconcile.output.history_documents import HistoryItem
from reconcile.output.json import drift_document
from reconcile.wording import shortened

Run = Literal["drift", "heal", "pull"]

MOST_CHANGES = 500
MOST_CHECKS = 2000
MOST_APPLIES = 10
OMITTED = "(omitted)"
METADATA = frozenset(
    {"mode", "user", "group", "owner", "dirs", "files", "enabled", "active", "target", "deviating"}
)
"""Fields whose values are shown; any other one may hold a text."""


class ReadingDocument(DriftDocument):
    """What a run of `pull` or of the schedule leaves: `drift --json`, without what is private.

    Values of texts are `(omitted)`; findings have no evidence and checks no detail.
    """

    run: Run
    scope: str = ""
    sites: list[str] = []
    command: str = ""
    """The command that applies this configuration."""
    history: list[HistoryItem] = []
    """The last applies, the latest first, without their changes."""
    omitted: int = 0
    """How many changes and checks are left out, because they are too many."""
    error: ErrorItem | None = None
    """Why the run brought no result."""


def reading_document(
    drift: Drift,
    *,
    run: Run,
    scope: str,
    sites: Sequence[str],
    command: str,
    history: Sequence[HistoryRow],
    exit_code: int,
    now: datetime,
    report: Report | None = None,
) -> ReadingDocument:
    """Build the reading of a run, and of its apply; `history` has its latest row first."""
    full = drift_document(drift, now=now, exit_code=exit_code)
    changes, checks = full.resource_changes, full.checks
    return ReadingDocument.of(
        full,
        resource_changes=[_public_change(item) for item in changes[:MOST_CHANGES]],
        deviations=full.deviations[:MOST_CHANGES],
        conflicts=[_public_conflict(item) for item in full.conflicts[:MOST_CHANGES]],
        behaviour_changes=full.behaviour_changes[:MOST_CHANGES],
        ignored_changes=full.ignored_changes[:MOST_CHANGES],
        unknown=full.unknown[:MOST_CHANGES],
        findings=[_public_finding(item) for item in full.findings[:MOST_CHANGES]],
        checks=[_public_check(item) for item in _worst_first(checks)[:MOST_CHECKS]],
        run=run,
        scope=scope,
        sites=list(sites),
        command=command,
        history=[_public_apply(row) for row in history[:MOST_APPLIES]],
        error=_error(report.error, report.fix) if report and report.error else None,
        omitted=max(0, len(changes) - MOST_CHANGES) + max(0, len(checks) - MOST_CHECKS),
    )


def failed_reading_document(
    empty: Drift, error: ReconcileError, *, run: Run, command: str, now: datetime
) -> ReadingDocument:
    """Build the reading of a run that ended before the host was read: all is unknown.

    Its `why` is left out: it may quote the YAML, the address of a repository, or nginx.
    """
    return ReadingDocument.of(
        drift_document(empty, now=now, exit_code=int(error.exit_code)),
        in_sync=False,
        healthy=False,
        state="unknown",
        run=run,
        command=command,
        error=_error(error.what, error.fix),
    )


def _error(what: str, fix: str) -> ErrorItem:
    return ErrorItem(what=_sentence(what), why="", fix=_sentence(fix))


def _public_change(item: ResourceChange) -> ResourceChange:
    values = item.change
    public = {"before": _metadata(values.before), "after": _metadata(values.after)}
    return item.model_copy(update={"change": values.model_copy(update=public)})


def _metadata(values: dict[str, Any] | None) -> dict[str, Any] | None:
    if values is None:
        return None
    return {
        name: value if name in METADATA or value is None else OMITTED
        for name, value in values.items()
    }


def _public_conflict(item: ResourceConflict) -> ResourceConflict:
    return item.model_copy(update={"values": [OMITTED] * len(item.values)})


def _public_finding(item: FindingItem) -> FindingItem:
    return item.model_copy(update={"evidence": []})


def _public_check(item: CheckItem) -> CheckItem:
    return item.model_copy(update={"detail": ""})


def _worst_first(checks: Sequence[CheckItem]) -> list[CheckItem]:
    return sorted(checks, key=lambda check: check.status == "pass")


def _public_apply(row: HistoryRow) -> HistoryItem:
    return history_item(row).model_copy(update={"changes": [], "error": ""})


def _sentence(text: str) -> str:
    return shortened(" ".join(text.split()))
