"""`reconcile apply`: show the plan, ask, apply it, verify, or roll all of it back."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

import typer

from reconcile import __version__
from reconcile.cli.approval import confirm, typed_command
from reconcile.cli.options import (
    AutoApprove,
    Excludes,
    File,
    Full,
    Json,
    LockTimeout,
    MaxDeletes,
    Sites,
    Summary,
    Targets,
    Vars,
)
from reconcile.cli.progress import EventSink, event_sink
from reconcile.cli.standard_input import require_file
from reconcile.cli.workspaces import open_workspace, selection_of
from reconcile.config.fields.quantities import SECONDS, parse_duration
from reconcile.engine.apply_report import Report
from reconcile.engine.confirmation import refuse_unconfirmed
from reconcile.engine.host_hold import refuse_held
from reconcile.engine.model import Plan
from reconcile.engine.safety_checks import refuse_unclear
from reconcile.engine.selection import Selection
from reconcile.engine.staleness import refuse_stale
from reconcile.errors import ReconcileError
from reconcile.filesystem.user_files import is_trusted_file
from reconcile.gitops.saved_plan import SavedPlan, read, refuse_used
from reconcile.system import Host
from reconcile.workspace import Workspace
from reconcile.workspace.applying import ApplyOptions, apply_plan, locked_to_apply
from reconcile.workspace.planning import plan_changes, replan

LONGEST_CONFIRM_S = SECONDS["w"]


def apply(
    saved: Annotated[
        str | None, typer.Argument(metavar="PLAN", help="A plan saved by `plan --out`.")
    ] = None,
    file: File = None,
    var: Vars = None,
    json: Json = False,
    auto_approve: AutoApprove = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 2 if something was changed.")
    ] = False,
    site: Sites = None,
    target: Targets = None,
    exclude: Excludes = None,
    lock_timeout: LockTimeout = 0.0,
    no_rollback: Annotated[
        bool, typer.Option("--no-rollback", help="Do not roll back if the apply fails.")
    ] = False,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Skip verification.")] = False,
    max_deletes: MaxDeletes = None,
    allow_empty: Annotated[
        bool,
        typer.Option("--allow-empty", help="Allow an empty YAML to delete everything managed."),
    ] = False,
    confirm_within: Annotated[
        str | None,
        typer.Option(
            "--confirm",
            metavar="TIME",
            help="Roll back after this time (5m) unless `reconcile confirm` is run.",
        ),
    ] = None,
    summary: Summary = False,
    full: Full = False,
) -> int:
    """Apply the YAML to this host; roll back on failure.

    Shows the plan and asks first. A saved plan is applied as it is, without asking.

    \b
    Examples:
      reconcile apply
      reconcile apply --auto-approve --site shop
      reconcile apply shop.plan
      reconcile apply --confirm 5m

    \b
    Exit codes:
      0  applied and verified, or nothing to do
      1  error
      2  something was changed (only with --detailed-exitcode)
      3  failed, and rolled back
      4  another apply is running
      5  the saved plan is stale, or the host changed meanwhile
      6  a hold is in force, or the last apply is not confirmed
    """
    selection = selection_of(site, target, exclude)
    events = event_sink(json=json, full=full, summary=summary)
    options = ApplyOptions(
        verify=not no_verify,
        roll_back=not no_rollback,
        max_deletes=max_deletes,
        allow_empty=allow_empty,
        confirm_s=_seconds(confirm_within),
        selection=selection,
    )
    if saved is not None:
        _refuse_selection(selection)
        report = _apply_saved(saved, file, var, options, lock_timeout, events)
        return _report_end(report, events, detailed=detailed_exitcode)
    workspace = open_workspace(file, var)
    refuse_held(workspace.host.state)
    refuse_unconfirmed(workspace.host.state)
    approved = None if auto_approve else _approved_plan(workspace, selection, events)
    with locked_to_apply(workspace, "apply", timeout_s=lock_timeout, on_event=events) as current:
        plan = _current_plan(current, selection, approved, events)
        report = _execute(current, plan, options, events)
    return _report_end(report, events, detailed=detailed_exitcode)


def _seconds(confirm_within: str | None) -> int | None:
    """The value of --confirm. Errors: ReconcileError."""
    if confirm_within is None:
        return None
    try:
        seconds = parse_duration(confirm_within)
    except ValueError as error:
        raise ReconcileError(f"--confirm: {error}", "", "Use a duration: 5m or 1h.") from None
    if not 1 <= seconds <= LONGEST_CONFIRM_S:
        raise ReconcileError(
            f"--confirm: {confirm_within} is out of range",
            "it has to be between a second and a week",
            "Use 5m, or 1h. Nothing was changed.",
        )
    return seconds


def _report_end(report: Report, events: EventSink, *, detailed: bool) -> int:
    code = report.exit_code(detailed=detailed)
    events.end(report, code)
    return code


def _refuse_selection(selection: Selection) -> None:
    if selection.partial:
        raise ReconcileError(
            "--site, --target and --exclude cannot be combined with a saved plan",
            "the plan was saved for a fixed selection",
            "Leave them out, or save a new plan with them. Nothing was changed.",
        )


def _apply_saved(
    path: str,
    file: str | None,
    var: list[str] | None,
    options: ApplyOptions,
    lock_timeout_s: float,
    events: EventSink,
) -> Report:
    """Apply what was approved, and nothing else. Errors: StalePlan."""
    approved = read(path)
    workspace = _open_for_saved_plan(approved, file, var)
    with locked_to_apply(workspace, "apply", timeout_s=lock_timeout_s, on_event=events) as current:
        refuse_used(approved, current.host.state)
        with events.scanning(current.host):
            plan = replan(current, approved.inputs, approved.selection, bind_contents=True)
        events.plan(plan)
        return _execute(
            current,
            plan,
            replace(options, saved_plan=approved.id, selection=approved.selection),
            events,
        )


def _open_for_saved_plan(saved: SavedPlan, file: str | None, var: list[str] | None) -> Workspace:
    """Open the workspace that the plan was made in. Errors: StalePlan where it differs now.

    The file that the plan names is used only if no other user can write it: otherwise an
    approval could bring its own configuration.
    """
    # Checked before the YAML is read, which may be missing on another host.
    here = replace(saved.inputs, host=Host().name, version=__version__)
    refuse_stale(saved.inputs, here)
    if file is None:
        require_file(saved.file, "A plan made from standard input")
    workspace = open_workspace(file or (saved.file if is_trusted_file(saved.file) else None), var)
    refuse_stale(saved.inputs, replace(here, config=workspace.config.digest))
    return workspace


def _approved_plan(workspace: Workspace, selection: Selection, events: EventSink) -> Plan:
    """The plan, after a person has approved it. Errors: ReconcileError where not."""
    with events.scanning(workspace.host):
        plan = plan_changes(workspace, selection)
    events.plan(plan)
    refuse_unclear(plan)
    if plan.changes:
        confirm("this plan")
    return plan


def _current_plan(
    current: Workspace, selection: Selection, approved: Plan | None, events: EventSink
) -> Plan:
    """The plan under the lock; it must equal the approved one. Errors: StalePlan."""
    with events.scanning(current.host):
        if approved is not None:
            return replan(current, approved.inputs, selection)
        plan = plan_changes(current, selection)
    events.plan(plan)
    return plan


def _execute(current: Workspace, plan: Plan, options: ApplyOptions, events: EventSink) -> Report:
    with events.applying(plan):
        return apply_plan(current, plan, typed_command(), options=options, on_event=events)
