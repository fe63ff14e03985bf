"""`reconcile plan`: the diff, and nothing else."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from reconcile.cli.options import (
    Detailed,
    Excludes,
    File,
    Json,
    Markdown,
    Sites,
    Targets,
    opened,
    refuse_two_forms,
    selection,
)
from reconcile.cli.terminal import now, show, style
from reconcile.errors import ReconcileError

if TYPE_CHECKING:
    from reconcile.engine.model import Plan
    from reconcile.engine.selection import Selection
    from reconcile.workspace import Workspace


def plan(
    file: File = None,
    json: Json = False,
    markdown: Markdown = False,
    detailed_exitcode: Detailed = False,
    site: Sites = None,
    target: Targets = None,
    exclude: Excludes = None,
    summary: Annotated[bool, typer.Option("--summary", help="Addresses only.")] = False,
    full: Annotated[
        bool, typer.Option("--full", help="Whole texts, and what needs no change.")
    ] = False,
    json_into: Annotated[
        str | None,
        typer.Option("--json-into", metavar="FILE", help="Write the JSON there, beside the text."),
    ] = None,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="FILE", help="Save the plan for `apply FILE`."),
    ] = None,
) -> int:
    """Show how the host differs from the YAML; changes nothing."""
    from reconcile.cli.counting import counted
    from reconcile.cli.looking import Looking
    from reconcile.output.escape import printable
    from reconcile.output.text import plan_text
    from reconcile.workspace.planning import plan_changes

    refuse_two_forms(json=json, markdown=markdown)
    workspace, chosen, look = opened(file), selection(site, target, exclude), Looking()
    with counted(workspace.host, json=json):
        made = look(lambda: plan_changes(workspace, chosen))
    code = made.exit_code(detailed=detailed_exitcode)
    if out is not None:
        _save(out, made, workspace, chosen)
    if json:
        show(_document(look.noting(made), code, full=full))
    elif markdown:
        from reconcile.output.markdown import plan_markdown

        show(plan_markdown(made))
    else:
        show(plan_text(made, style(), full=full, summary=summary))
        if out is not None:
            show(f"\nSaved. To apply exactly this, once: reconcile apply {printable(out)}")
    if json_into is not None:
        _write(json_into, _document(look.noting(made), code, full=full))
    if not json:
        look.tell()
    _tell_what_is_unclear(made)
    return code


def _tell_what_is_unclear(made: Plan) -> None:
    """An apply would refuse such a plan: to be read also where the plan itself goes elsewhere."""
    from reconcile.engine.safety_checks import refuse_unclear
    from reconcile.output.error import error_text

    try:
        refuse_unclear(made)
    except ReconcileError as error:
        sys.stderr.write(error_text(error.what, error.why, error.fix, style(sys.stderr)) + "\n")


def _save(path: str, made: Plan, workspace: Workspace, chosen: Selection) -> None:
    from reconcile.gitops import saved_plan

    yaml = os.path.abspath(workspace.config.file)
    saved_plan.write(path, saved_plan.from_plan(made, yaml, chosen, workspace.user))


def _document(made: Plan, code: int, *, full: bool) -> str:
    from reconcile.output.json import dumped, plan_document

    return dumped(plan_document(made, code, now=now(), full=full))


def _write(path: str, text: str) -> None:
    try:
        with open(path, "w", encoding="utf-8") as file:
            file.write(text + "\n")
    except OSError as error:
        raise ReconcileError(
            f"{path} cannot be written", error.strerror or str(error), "Name another file."
        ) from None
