"""`reconcile rollback`: undo the last apply, or one that was interrupted."""

from __future__ import annotations

from reconcile.cli.approval import confirm, typed_command
from reconcile.cli.options import AutoApprove, File, Json, LockTimeout
from reconcile.cli.progress import EventSink, event_sink
from reconcile.cli.terminal import show, style
from reconcile.cli.workspaces import open_state
from reconcile.engine.history import HistoryEntry, HistoryRow
from reconcile.engine.rollback import last_applied, sites_undone, unfinished
from reconcile.errors import ExitCode, ReconcileError
from reconcile.output.apply_history import rollback_preview
from reconcile.workspace import Workspace
from reconcile.workspace.applying import locked, roll_back


def rollback(
    file: File = None,
    json: Json = False,
    auto_approve: AutoApprove = False,
    lock_timeout: LockTimeout = 0.0,
) -> int:
    """Undo the last apply, or one that was interrupted.

    Shows what it will undo and asks first.

    \b
    Example:
      reconcile rollback --auto-approve

    \b
    Exit codes:
      0  rolled back
      1  error, or there is nothing to undo
      4  another apply is running
    """
    workspace, events = open_state(file), event_sink(json=json)
    interrupted = unfinished(workspace.host)
    last = None if interrupted else last_applied(workspace.host)
    if not json:
        show(_preview(workspace, last or interrupted[0]))
    if not auto_approve:
        confirm("this rollback")
    with locked(workspace, "rollback", timeout_s=lock_timeout, on_event=events) as current:
        # Taking the lock has rolled the interrupted one back; the apply before it stays.
        notes = _roll_back_shown(current, last, events) if last else ()
    events.rolled_back(notes)
    return ExitCode.OK


def _preview(workspace: Workspace, undone: HistoryRow | HistoryEntry) -> str:
    """What will happen, and which sites go away; an entry without a row is unfinished."""
    if isinstance(undone, HistoryEntry):
        return rollback_preview(undone, style=style())
    gone = sites_undone(undone.entry, workspace.ledger.rows)
    return rollback_preview(undone.entry, undone.number, gone, style())


def _roll_back_shown(current: Workspace, shown: HistoryRow, events: EventSink) -> tuple[str, ...]:
    """Undo the apply that was shown, and no later one. Errors: ReconcileError."""
    if last_applied(current.host) != shown:
        raise ReconcileError(
            "Another apply finished in the meantime",
            f"apply #{shown.number} is no longer the last one",
            "See `reconcile history`, then run this again. Nothing was changed.",
        )
    return roll_back(current, typed_command(), on_event=events)
