"""`reconcile rollback`: undo the last applies, or one that was interrupted."""

from __future__ import annotations

from typing import Annotated

import typer

from reconcile.cli.approval import confirm, typed_command
from reconcile.cli.options import AutoApprove, File, Json, LockTimeout
from reconcile.cli.progress import EventSink, event_sink
from reconcile.cli.terminal import show, style
from reconcile.cli.workspaces import open_state
from reconcile.engine.apply_report import Event
from reconcile.engine.checks import failed_checks
from reconcile.engine.host_hold import read_hold
from reconcile.engine.rollback_plan import RollbackPlan, plan_rollback
from reconcile.errors import ExitCode, ReconcileError
from reconcile.output.apply_history import rollback_preview, rollback_question, site_warning
from reconcile.workspace import Workspace
from reconcile.workspace.applying import locked
from reconcile.workspace.confirming import stop_waiting_if_undone
from reconcile.workspace.rolling_back import Rollback, roll_back


def rollback(
    file: File = None,
    json: Json = False,
    auto_approve: AutoApprove = False,
    to: Annotated[
        int | None,
        typer.Option("--to", metavar="N", min=0, help="Undo every apply after #N of the history."),
    ] = None,
    lock_timeout: LockTimeout = 0.0,
) -> int:
    """Undo the last apply, or one that was interrupted.

    Shows what it will undo and asks first, also about what cannot be undone: irreversible steps of
    releases. A second rollback goes one apply further back; --to undoes several at once.

    \b
    Examples:
      reconcile rollback --auto-approve
      reconcile rollback --to 12

    \b
    Exit codes:
      0  rolled back
      1  error, or there is nothing to undo
      3  rolled back, but something differs from before or does not respond
      4  another apply is running
    """
    workspace, events = open_state(file), event_sink(json=json)
    plan = plan_rollback(workspace.host.state, to)
    _show(plan, workspace, events, json=json)
    plan.refuse_guarded(workspace.ledger.all_rows)
    if not auto_approve:
        confirm(rollback_question(plan))
    with locked(workspace, "rollback", timeout_s=lock_timeout, on_event=events) as current:
        # Taking the lock has rolled the interrupted one back.
        done = _roll_back_shown(current, plan, to, events)
        stop_waiting_if_undone(current.host)
    events.rolled_back(done.notes, done.checks)
    return ExitCode.VERIFICATION_FAILED if failed_checks(done.checks) else ExitCode.OK


def _show(plan: RollbackPlan, workspace: Workspace, events: EventSink, *, json: bool) -> None:
    gone = plan.removed_sites(workspace.ledger.rows)
    hold = read_hold(workspace.host.state)
    if not json:
        show(rollback_preview(plan, gone, style(), hold))
        return
    for warning in (*map(site_warning, gone), *plan.warnings):
        events(Event("note", message=warning))
    if hold is not None:
        events(Event("note", message=f"A hold is in force: {hold}."))


def _roll_back_shown(
    current: Workspace, shown: RollbackPlan, to: int | None, events: EventSink
) -> Rollback:
    """Undo the applies that were shown, and no others. Errors: ReconcileError."""
    if shown.applies and plan_rollback(current.host.state, to).applies != shown.applies:
        raise ReconcileError(
            "Another apply finished in the meantime",
            f"apply #{shown.applies[0].number} is no longer the last one",
            "See `reconcile history`, then run this again. Nothing was changed.",
        )
    return roll_back(current, shown.applies, typed_command(), on_event=events)
