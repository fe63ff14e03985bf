"""The schedule of drift checks, and the last result, as text."""

from __future__ import annotations

from reconcile.output.command_documents import ScheduleDocument


def schedule_text(document: ScheduleDocument) -> str:
    """Render when checks run, and the last result."""
    lines = [f"Scheduled by {document.by}." if document.by else "No drift check is scheduled."]
    if document.next_run:
        lines.append(f"Next run: {document.next_run}")
    if document.failure:
        lines.append(f"Its last run gave no result: {document.failure}.")
        lines.append("See: systemctl status reconcile-drift.service")
    last_state = (document.last_state or "unknown").replace("_", " ")
    last_run = f"{document.last_run}, {last_state}" if document.last_run else "none yet"
    last_success = document.last_success or "never"
    return "\n".join([*lines, f"Last run: {last_run}", f"Last success: {last_success}"])
