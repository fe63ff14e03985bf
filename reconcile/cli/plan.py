"""`reconcile plan`: what apply would change, and nothing else."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from reconcile.cli.options import (
    DetailedExitCode,
    Excludes,
    File,
    Full,
    Json,
    Markdown,
    Sites,
    Summary,
    Targets,
    Vars,
    config_file,
    require_single_format,
    variables_of,
)
from reconcile.cli.progress_line import file_progress
from reconcile.cli.read_only_guard import ReadOnlyGuard
from reconcile.cli.standard_input import DASH, load_config
from reconcile.cli.terminal import now, show, style
from reconcile.cli.workspaces import open_to_plan, selection_of
from reconcile.config.config_file import STANDARD_INPUT
from reconcile.engine.host_hold import exit_code_under
from reconcile.engine.model import Plan
from reconcile.engine.safety_checks import refuse_unclear
from reconcile.engine.selection import Selection
from reconcile.errors import ReconcileError
from reconcile.filesystem.user_files import write_user_file
from reconcile.output.error import error_text
from reconcile.output.escape import printable
from reconcile.output.text import plan_text
from reconcile.workspace import Workspace
from reconcile.workspace.planning import plan_changes


def plan(
    file: File = None,
    var: Vars = None,
    json: Json = False,
    markdown: Markdown = False,
    detailed_exitcode: DetailedExitCode = False,
    site: Sites = None,
    target: Targets = None,
    exclude: Excludes = None,
    summary: Summary = False,
    full: Full = False,
    json_into: Annotated[
        str | None,
        typer.Option("--json-into", metavar="FILE", help="Also write the plan as JSON to FILE."),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="FILE", help="Save the plan for `apply FILE`."),
    ] = None,
    offline: Annotated[
        str | None,
        typer.Option(
            "--offline",
            metavar="OLD",
            help="Compare with another version of the file instead of the host.",
        ),
    ] = None,
) -> int:
    """Show what apply would change; change nothing.

    \b
    Examples:
      reconcile plan
      reconcile plan --site shop --out shop.plan
      reconcile plan --offline main/reconcile.yaml --markdown

    \b
    Exit codes:
      0  planned
      1  error, or something could not be read
      2  changes (only with --detailed-exitcode)
      6  planned, but a hold is in force: apply would not start
    """
    require_single_format(json=json, markdown=markdown)
    read_only, selection = ReadOnlyGuard(), selection_of(site, target, exclude)
    if offline is not None:
        _refuse_beside_offline(selection, out)
        made = _offline_plan(offline, file, var)
    else:
        workspace = open_to_plan(file, var)
        bind = out is not None
        with file_progress(workspace.host, json=json):
            made = read_only(lambda: plan_changes(workspace, selection, bind_contents=bind))
        if out is not None:
            _save(out, made, workspace, selection)
    code = exit_code_under(made.hold, made.exit_code(detailed=detailed_exitcode))
    if json:
        show(_plan_json(read_only.with_note(made), code, full=full))
    elif markdown:
        # Start-up: 3 ms, and a plan as text does without it.
        from reconcile.output.markdown import plan_markdown

        show(plan_markdown(made))
    else:
        show(plan_text(made, style(), full=full, summary=summary))
        if out is not None:
            show(f"\nSaved. To apply exactly this plan, once: reconcile apply {printable(out)}")
    if json_into is not None:
        document = _plan_json(read_only.with_note(made), code, full=full) + "\n"
        write_user_file(json_into, document.encode(), replaceable=lambda _old: True)
    if not json:
        read_only.print_note()
    _print_unclear(made)
    return code


def _refuse_beside_offline(selection: Selection, out: str | None) -> None:
    if selection.partial or out is not None:
        raise ReconcileError(
            "--offline compares whole files",
            "a plan without the host can be neither applied nor limited to a part",
            "Leave out --out, --site, --target and --exclude.",
        )


def _offline_plan(old: str, file: str | None, var: list[str] | None) -> Plan:
    # Start-up: a plan of the host does without it.
    from reconcile.workspace.offline import plan_offline

    path, variables = config_file(file), variables_of(var)
    if path == DASH:
        raise ReconcileError("--offline compares two files", "", "Use -f FILE.")
    return plan_offline(old, load_config(path, variables), variables)


def _print_unclear(made: Plan) -> None:
    """Print why apply would refuse this plan, on stderr as the plan itself may go elsewhere."""
    try:
        refuse_unclear(made)
    except ReconcileError as error:
        sys.stderr.write(error_text(error.what, error.why, error.fix, style(sys.stderr)) + "\n")


def _save(path: str, made: Plan, workspace: Workspace, selection: Selection) -> None:
    # Start-up: 2 ms, and only --out needs it.
    from reconcile.gitops import saved_plan

    file = workspace.config.file
    yaml = file if file == STANDARD_INPUT else os.path.abspath(file)
    saved = saved_plan.from_plan(made, yaml, selection, workspace.user, workspace.ledger.serial)
    saved_plan.write(path, saved)


def _plan_json(made: Plan, code: int, *, full: bool) -> str:
    # Start-up: it costs 18 ms, and a plan as text does without it.
    from reconcile.output.json import plan_document, to_json

    return to_json(plan_document(made, code, now=now(), full=full))
