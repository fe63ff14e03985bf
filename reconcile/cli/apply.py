"""`reconcile apply`: show the plan, ask, apply it, verify, or roll all of it back."""

from __future__ import annotations

from typing import Annotated

import typer

from reconcile.cli.approval import typed_command
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
from reconcile.cli.workspaces import open_kept, selection_of
from reconcile.engine.apply_report import Report
from reconcile.workspace.apply_unchanged import apply_unchanged


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
    if saved is None and confirm_within is None and not selection.partial:
        unchanged = _apply_unchanged(file, var, lock_timeout, events)
        if unchanged is not None:
            return _report_end(unchanged, events, detailed=detailed_exitcode)
    # A lazy border: what compiles, changes and verifies is what an apply of nothing does without.
    from reconcile.cli.apply_changes import apply_file, apply_saved, seconds
    from reconcile.workspace.applying import ApplyOptions

    options = ApplyOptions(
        verify=not no_verify,
        roll_back=not no_rollback,
        max_deletes=max_deletes,
        allow_empty=allow_empty,
        confirm_s=seconds(confirm_within),
        selection=selection,
    )
    if saved is not None:
        report = apply_saved(saved, file, var, options, lock_timeout, events)
    else:
        report = apply_file(file, var, options, lock_timeout, events, asks=not auto_approve)
    return _report_end(report, events, detailed=detailed_exitcode)


def _apply_unchanged(
    file: str | None, var: list[str] | None, lock_timeout_s: float, events: EventSink
) -> Report | None:
    """Apply nothing, where the host is as the last apply of this very file left it."""
    kept = open_kept(file, var)
    if kept is None:
        return None
    with events.scanning(kept.host):
        report = apply_unchanged(kept, typed_command(), timeout_s=lock_timeout_s)
    if report is not None:
        events.plan(report.plan)
    return report


def _report_end(report: Report, events: EventSink, *, detailed: bool) -> int:
    code = report.exit_code(detailed=detailed)
    events.end(report, code)
    return code
