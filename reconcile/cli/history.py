"""`reconcile history`: who applied what, when, with which result."""

from __future__ import annotations

from reconcile.cli.options import File, Json, opened_records
from reconcile.cli.terminal import now, show, style
from reconcile.errors import ExitCode


def history(file: File = None, json: Json = False) -> int:
    """Tell who applied what, when, with which result."""
    from reconcile.engine.history_integrity import audit

    workspace = opened_records(file)
    known, problems = audit(workspace.host.state, workspace.ledger)
    code = ExitCode.ERROR if problems else ExitCode.OK
    if json:
        from reconcile.output.history import history_document
        from reconcile.output.json import dumped

        show(dumped(history_document(known, problems, workspace.host.name, code, now=now())))
    else:
        from reconcile.output.history import history_text

        show(history_text(known, problems, style()))
    return code
