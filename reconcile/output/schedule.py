"""When drift checks run, and what the last one found."""

from __future__ import annotations

from datetime import datetime

from reconcile.engine.drift_report import State
from reconcile.output import documents as doc
from reconcile.output.json import head


def schedule_document(
    host: str,
    by: str,
    following: str,
    last_run: str | None,
    last_state: State | None,
    last_success: str | None,
    *,
    now: datetime,
) -> doc.ScheduleDocument:
    """The object of `schedule status --json`."""
    return doc.ScheduleDocument(
        **head(host, now),
        installed=bool(by),
        by=by,
        next_run=following,
        last_run=last_run,
        last_state=last_state,
        last_success=last_success,
        exit_code=0,
    )


def schedule_text(told: doc.ScheduleDocument) -> str:
    """The same for a person."""
    by = f"Scheduled by {told.by}." if told.installed else "Nothing is scheduled here."
    following = [f"Next run: {told.next_run}"] if told.next_run else []
    last = (
        f"Last run: {told.last_run}, {(told.last_state or 'unknown').replace('_', ' ')}"
        if told.last_run
        else "Last run: none yet"
    )
    return "\n".join([by, *following, last, f"All was well last: {told.last_success or 'never'}"])
