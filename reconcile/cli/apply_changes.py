"""Applying what differs: the part of `reconcile apply` that compiles, changes and verifies."""

from __future__ import annotations

from dataclasses import replace

from reconcile import __version__
from reconcile.cli.approval import confirm, typed_command
from reconcile.cli.progress import EventSink
from reconcile.cli.standard_input import require_file
from reconcile.cli.workspaces import open_workspace
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


def apply_file(
    file: str | None,
    var: list[str] | None,
    options: ApplyOptions,
    lock_timeout_s: float,
    events: EventSink,
    *,
    asks: bool,
) -> Report:
    """Apply the configuration file, where `asks` once a person has approved the plan."""
    workspace, selection = open_workspace(file, var), options.selection
    refuse_held(workspace.host.state)
    refuse_unconfirmed(workspace.host.state)
    approved = _approved_plan(workspace, selection, events) if asks else None
    with locked_to_apply(workspace, "apply", timeout_s=lock_timeout_s, on_event=events) as current:
        plan = _current_plan(current, selection, approved, events)
        return _execute(current, plan, options, events)


def seconds(confirm_within: str | None) -> int | None:
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


def _refuse_selection(selection: Selection) -> None:
    if selection.partial:
        raise ReconcileError(
            "--site, --target and --exclude cannot be combined with a saved plan",
            "the plan was saved for a fixed selection",
            "Leave them out, or save a new plan with them. Nothing was changed.",
        )


def apply_saved(
    path: str,
    file: str | None,
    var: list[str] | None,
    options: ApplyOptions,
    lock_timeout_s: float,
    events: EventSink,
) -> Report:
    """Apply what was approved, and nothing else. Errors: StalePlan."""
    _refuse_selection(options.selection)
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
