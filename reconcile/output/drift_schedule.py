"""The schedule of drift checks, and the last result."""

from __future__ import annotations

from datetime import datetime

from reconcile.engine.drift_report import State
from reconcile.output import documents as doc
from reconcile.output.json import envelope


def schedule_document(
    host: str,
    by: str,
    next_run: str,
    last_run: str | None,
    last_state: State | None,
    last_success: str | None,
    *,
    now: datetime,
) -> doc.ScheduleDocument:
    """Build the object of `schedule status --json`; `by` and `next_run` may be empty."""
    return doc.ScheduleDocument(
        **envelope(host, now),
        installed=bool(by),
        by=by,
        next_run=next_run,
        last_run=last_run,
        last_state=last_state,
        last_success=last_success,
        exit_code=0,
    )


def schedule_text(document: doc.ScheduleDocument) -> str:
    """Render the same as text."""
    by = f"Scheduled by {document.by}." if document.installed else "No drift check is scheduled."
    next_run = [f"Next run: {document.next_run}"] if document.next_run else []
    last = (
        f"Last run: {document.last_run}, {(document.last_state or 'unknown').replace('_', ' ')}"
        if document.last_run
        else "Last run: none yet"
    )
    return "\n".join([by, *next_run, last, f"Last success: {document.last_success or 'never'}"])
