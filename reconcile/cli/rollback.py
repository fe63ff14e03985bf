"""`reconcile rollback`: undo the last apply, or end one that was interrupted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from reconcile.cli.approval import ask, typed_command
from reconcile.cli.options import File, Json, LockTimeout, opened_records
from reconcile.cli.terminal import show, style
from reconcile.errors import ExitCode, ReconcileError

if TYPE_CHECKING:
    from reconcile.cli.progress import Listener
    from reconcile.engine.history import HistoryEntry
    from reconcile.workspace import Workspace


def rollback(
    file: File = None,
    json: Json = False,
    auto_approve: Annotated[
        bool, typer.Option("--auto-approve", help="Roll back without asking.")
    ] = False,
    lock_timeout: LockTimeout = 0.0,
) -> int:
    """Undo the last apply, or an unfinished one."""
    from reconcile.cli.progress import listener
    from reconcile.engine.rollback import last_applied, unfinished
    from reconcile.output.history import taking_back_text
    from reconcile.workspace.applying import locked

    workspace, listen = opened_records(file), listener(json=json)
    interrupted = unfinished(workspace.host)
    shown = interrupted[0] if interrupted else last_applied(workspace.host)
    if not json:
        show(taking_back_text(shown, style()))
    if not auto_approve:
        ask("undoing the interrupted apply" if interrupted else "undoing the last apply")
    with locked(workspace, "rollback", timeout_s=lock_timeout, on_event=listen) as current:
        # Taking the lock has ended what was interrupted; the apply before it still stands.
        notes = () if interrupted else _taken_back(current, shown, listen)
    listen.undone(notes)
    return ExitCode.OK


def _taken_back(current: Workspace, shown: HistoryEntry, listen: Listener) -> tuple[str, ...]:
    """Undo what was shown, and nothing that came in between. Errors: ReconcileError."""
    from reconcile.engine.rollback import last_applied
    from reconcile.workspace.applying import roll_back

    if last_applied(current.host) != shown:
        raise ReconcileError(
            "Another apply came in between",
            "the last one is not the one that was shown any more",
            "Look at `reconcile history`, then run this again. Nothing was changed.",
        )
    return roll_back(current, typed_command(), on_event=listen)
