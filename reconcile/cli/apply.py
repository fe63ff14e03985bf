"""`reconcile apply`: show the plan, ask, carry it out, verify, or take it all back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from reconcile.cli.approval import ask, typed_command
from reconcile.cli.options import (
    Excludes,
    File,
    Json,
    LockTimeout,
    Sites,
    Targets,
    opened,
    opened_for,
    selection,
)
from reconcile.errors import ReconcileError

if TYPE_CHECKING:
    from reconcile.cli.progress import Listener
    from reconcile.engine.model import Plan, Report
    from reconcile.engine.selection import Selection
    from reconcile.workspace import Workspace
    from reconcile.workspace.applying import ApplyOptions


def apply(
    saved: Annotated[
        str | None, typer.Argument(metavar="PLAN", help="A plan saved by `plan --out`.")
    ] = None,
    file: File = None,
    json: Json = False,
    auto_approve: Annotated[
        bool, typer.Option("--auto-approve", help="Apply without asking.")
    ] = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 2 where something was changed.")
    ] = False,
    site: Sites = None,
    target: Targets = None,
    exclude: Excludes = None,
    lock_timeout: LockTimeout = 0.0,
    no_rollback: Annotated[
        bool, typer.Option("--no-rollback", help="Leave a failed apply as it is.")
    ] = False,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Send no probes.")] = False,
    max_deletes: Annotated[
        int | None,
        typer.Option("--max-deletes", metavar="N", min=0, help="Refuse a plan that destroys more."),
    ] = None,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Let a YAML that declares nothing remove all.")
    ] = False,
) -> int:
    """Make the host what the YAML says; what fails is taken back."""
    from reconcile.cli.progress import listener
    from reconcile.workspace.applying import ApplyOptions, locked

    chosen, listen = selection(site, target, exclude), listener(json=json)
    options = ApplyOptions(
        verify=not no_verify,
        roll_back=not no_rollback,
        max_deletes=max_deletes,
        allow_empty=allow_empty,
    )
    if saved is not None:
        _refuse_selection(chosen)
        report = _apply_saved(saved, file, options, lock_timeout, listen)
        return _ended(report, listen, detailed=detailed_exitcode)
    workspace = opened(file)
    approved = None if auto_approve else _approved(workspace, chosen, listen)
    with locked(workspace, "apply", timeout_s=lock_timeout, on_event=listen) as current:
        plan = _planned(current, chosen, approved, listen)
        report = _carried_out(current, plan, options, listen)
    return _ended(report, listen, detailed=detailed_exitcode)


def _ended(report: Report, listen: Listener, *, detailed: bool) -> int:
    code = report.exit_code(detailed=detailed)
    listen.end(report, code)
    return code


def _refuse_selection(chosen: Selection) -> None:
    if chosen.partial:
        raise ReconcileError(
            "A saved plan says by itself which part of the host it is about",
            "--site, --target and --exclude go with `plan --out`",
            "Leave them out, or plan again. Nothing was changed.",
        )


def _apply_saved(
    path: str, file: str | None, options: ApplyOptions, lock_timeout_s: float, listen: Listener
) -> Report:
    """Carry out what was approved, and nothing else. Errors: StalePlan."""
    from dataclasses import replace

    from reconcile.gitops.saved_plan import read, refuse_used
    from reconcile.workspace.applying import locked
    from reconcile.workspace.planning import replan

    approved = read(path)
    workspace = opened_for(approved, file)
    with locked(workspace, "apply", timeout_s=lock_timeout_s, on_event=listen) as current:
        refuse_used(approved, current.host.state)
        with listen.looking(current.host):
            plan = replan(current, approved.inputs, approved.selection)
        listen.plan(plan)
        return _carried_out(current, plan, replace(options, saved_plan=approved.id), listen)


def _approved(workspace: Workspace, chosen: Selection, listen: Listener) -> Plan:
    """The plan that a person has seen and said yes to. Errors: ReconcileError where not."""
    from reconcile.engine.safety_checks import refuse_unclear
    from reconcile.workspace.planning import plan_changes

    with listen.looking(workspace.host):
        plan = plan_changes(workspace, chosen)
    listen.plan(plan)
    refuse_unclear(plan)
    if plan.changes:
        ask("this plan")
    return plan


def _planned(
    current: Workspace, chosen: Selection, approved: Plan | None, listen: Listener
) -> Plan:
    """The plan of this moment, when nobody else can apply; what was approved must hold."""
    from reconcile.workspace.planning import plan_changes, replan

    with listen.looking(current.host):
        if approved is not None:
            return replan(current, approved.inputs, chosen)
        plan = plan_changes(current, chosen)
    listen.plan(plan)
    return plan


def _carried_out(current: Workspace, plan: Plan, options: ApplyOptions, listen: Listener) -> Report:
    from reconcile.workspace.applying import apply_plan

    with listen.working(plan):
        return apply_plan(current, plan, typed_command(), options=options, on_event=listen)
