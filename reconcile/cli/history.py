"""`reconcile history`: who applied what, when, with which result."""

from __future__ import annotations

from reconcile.cli.options import File, Json
from reconcile.cli.terminal import now, show, style
from reconcile.cli.workspaces import open_state
from reconcile.engine.history_integrity import check_history
from reconcile.errors import ExitCode
from reconcile.output.apply_history import history_document, history_text
from reconcile.output.json import to_json


def history(file: File = None, json: Json = False) -> int:
    """List who applied what and when, with the result.

    \b
    Example:
      reconcile history --json

    \b
    Exit codes:
      0  listed
      1  error, or the history does not match the ledger
    """
    workspace = open_state(file)
    entries, problems = check_history(workspace.host.state, workspace.ledger)
    code = ExitCode.ERROR if problems else ExitCode.OK
    if json:
        show(to_json(history_document(entries, problems, workspace.host.name, code, now=now())))
    else:
        show(history_text(entries, problems, style()))
    return code
