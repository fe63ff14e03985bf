"""`reconcile rollback`: undo the last apply, or one that was interrupted."""

from __future__ import annotations

from reconcile.cli.approval import confirm, typed_command
from reconcile.cli.options import AutoApprove, File, Json, LockTimeout
from reconcile.cli.progress import EventSink, event_sink
from reconcile.cli.terminal import show, style
from reconcile.cli.workspaces import open_state
from reconcile.engine.history import HistoryEntry
from reconcile.engine.rollback import last_applied, unfinished
from reconcile.errors import ExitCode, ReconcileError
from reconcile.output.history import taking_back_text
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
    workspace, listen = open_state(file), event_sink(json=json)
    interrupted = unfinished(workspace.host)
    shown = interrupted[0] if interrupted else last_applied(workspace.host)
    if not json:
        show(taking_back_text(shown, style()))
    if not auto_approve:
        confirm("undoing the interrupted apply" if interrupted else "undoing the last apply")
    with locked(workspace, "rollback", timeout_s=lock_timeout, on_event=listen) as current:
        # Taking the lock has rolled the interrupted one back; the apply before it stays.
        notes = () if interrupted else _roll_back_shown(current, shown, listen)
    listen.rolled_back(notes)
    return ExitCode.OK


def _roll_back_shown(current: Workspace, shown: HistoryEntry, listen: EventSink) -> tuple[str, ...]:
    """Undo the apply that was shown, and no later one. Errors: ReconcileError."""
    if last_applied(current.host) != shown:
        raise ReconcileError(
            "Another apply finished in the meantime",
            "the last apply is no longer the one that was shown",
            "See `reconcile history`, then run this again. Nothing was changed.",
        )
    return roll_back(current, typed_command(), on_event=listen)
