"""`reconcile apply`: show the plan, ask, carry it out, verify, or take it all back."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated

import typer

from reconcile.cli.options import Excludes, File, Json, Sites, Targets, opened, selection
from reconcile.cli.terminal import interactive, style
from reconcile.errors import ReconcileError

if TYPE_CHECKING:
    from reconcile.cli.progress import Listener
    from reconcile.engine.model import Plan, Report
    from reconcile.engine.select import Selection
    from reconcile.workspace import Options, Workspace

QUESTION = "Only 'yes' applies this: "


def apply(
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
    lock_timeout: Annotated[
        float, typer.Option("--lock-timeout", metavar="SECONDS", min=0, help="Wait for the lock.")
    ] = 0.0,
    no_rollback: Annotated[
        bool, typer.Option("--no-rollback", help="Leave a failed apply as it is.")
    ] = False,
    no_verify: Annotated[bool, typer.Option("--no-verify", help="Send no probes.")] = False,
    max_deletes: Annotated[
        int | None,
        typer.Option("--max-deletes", metavar="N", min=0, help="Refuse to destroy more."),
    ] = None,
    allow_empty: Annotated[
        bool, typer.Option("--allow-empty", help="Let a YAML that declares nothing remove all.")
    ] = False,
) -> int:
    """Make the host what the YAML says, or take it all back."""
    from reconcile.cli.progress import listener
    from reconcile.workspace import Options

    workspace, chosen = opened(file), selection(site, target, exclude)
    options = Options(not no_verify, not no_rollback, max_deletes, allow_empty)
    listen = listener(json=json)
    approved = None if auto_approve else _approved(workspace, chosen, listen)
    with workspace.locked("apply", timeout_s=lock_timeout, listen=listen) as locked:
        plan = _planned(locked, chosen, approved, listen)
        report = _carried_out(locked, plan, options, listen)
    code = report.exit_code(detailed=detailed_exitcode)
    listen.end(report, code)
    return code


def _approved(workspace: Workspace, chosen: Selection, listen: Listener) -> Plan:
    """The plan that a person has seen and said yes to. Errors: ReconcileError where not."""
    from reconcile.engine.guards import refuse_unclear

    plan = workspace.plan(chosen)
    listen.plan(plan)
    refuse_unclear(plan)
    if plan.changes:
        _ask()
    return plan


def _planned(locked: Workspace, chosen: Selection, approved: Plan | None, listen: Listener) -> Plan:
    """The plan of this moment, when nobody else can apply; what was approved must hold."""
    if approved is not None and approved.basis is not None:
        return locked.plan_again(approved.basis, chosen)
    plan = locked.plan(chosen)
    listen.plan(plan)
    return plan


def _carried_out(locked: Workspace, plan: Plan, options: Options, listen: Listener) -> Report:
    with listen.working(plan):
        return locked.apply(plan, _command(), options=options, listen=listen)


def _ask() -> None:
    """Errors: ReconcileError unless someone is there and types yes."""
    if not interactive():
        raise ReconcileError(
            "Nobody is there to approve the plan",
            "standard input or output is no terminal",
            "Say --auto-approve where a script applies. Nothing was changed.",
        )
    sys.stdout.write(f"\n{style().bold(QUESTION)}")
    sys.stdout.flush()
    if sys.stdin.readline().strip() != "yes":
        raise ReconcileError("The plan was not approved", "", "Nothing was changed.")


def _command() -> str:
    """What was typed, for the history."""
    return " ".join(("reconcile", *sys.argv[1:]))
