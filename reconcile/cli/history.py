"""`reconcile history`: who applied what, when, with which result; and the texts of one apply."""

from __future__ import annotations

from typing import Annotated

import typer

from reconcile.cli.options import File, Json
from reconcile.cli.terminal import now, show, style
from reconcile.cli.workspaces import open_state
from reconcile.engine.apply_texts import read_steps, read_texts
from reconcile.engine.history import HistoryRow, rows_backwards
from reconcile.engine.history_integrity import check_history
from reconcile.errors import ExitCode, ReconcileError
from reconcile.filesystem.state_dir import StateDir
from reconcile.output.applied import applied_document, applied_text
from reconcile.output.apply_history import history_document, history_text
from reconcile.output.json import to_json

history = typer.Typer(
    help="""List who applied what and when, with the result.

    \b
    Examples:
      reconcile history --json
      reconcile history show 12 --diff

    \b
    Exit codes:
      0  listed
      1  error, or the history does not match the ledger
    """,
    invoke_without_command=True,
    add_completion=False,
    rich_markup_mode=None,
)


@history.callback()
def list_(context: typer.Context, file: File = None, json: Json = False) -> int:
    """List the applies; a subcommand does its own."""
    if context.invoked_subcommand is not None:
        # `history --json show 12` means `history show 12 --json`.
        context.obj = {"file": file, "json": json}
        return ExitCode.OK
    workspace = open_state(file)
    entries, problems = check_history(workspace.host.state, workspace.ledger)
    code = ExitCode.ERROR if problems else ExitCode.OK
    if json:
        show(to_json(history_document(entries, problems, workspace.host.name, code, now=now())))
    else:
        show(history_text(entries, problems, style()))
    return code


@history.command("show")
def show_(
    context: typer.Context,
    number: Annotated[
        int, typer.Argument(metavar="N", min=1, help="The number of an apply in the history.")
    ],
    diff: Annotated[
        bool, typer.Option("--diff", help="Show the texts that it changed as unified diffs.")
    ] = False,
    file: File = None,
    json: Json = False,
) -> int:
    """Show one apply: who, when, what, and the output of its steps.

    \b
    Examples:
      reconcile history show 12
      reconcile history show 12 --diff

    \b
    Exit codes:
      0  shown
      1  error, or there is no such apply
    """
    before = context.obj or {}
    host = open_state(file or before.get("file")).host
    row = _row(host.state, number)
    texts = read_texts(host.state, row) if diff else None
    steps = read_steps(host.state, row)
    if json or before.get("json"):
        show(to_json(applied_document(row, texts, host.name, now=now(), steps=steps)))
    else:
        show(applied_text(row, texts, style(), diff=diff, steps=steps))
    return ExitCode.OK


def _row(state: StateDir, number: int) -> HistoryRow:
    """Errors: ReconcileError where the history has no such row."""
    for row in rows_backwards(state):
        if row.number == number:
            return row
    raise ReconcileError(
        f"The history has no #{number}", "", "List what was applied: reconcile history"
    )
