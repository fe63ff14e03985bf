"""`reconcile rollback`: undo the last apply, or end one that was interrupted."""

from __future__ import annotations

from typing import Annotated

import typer

from reconcile.cli.approval import ask, typed_command
from reconcile.cli.options import File, Json, LockTimeout, opened
from reconcile.errors import ExitCode


def rollback(
    file: File = None,
    json: Json = False,
    auto_approve: Annotated[
        bool, typer.Option("--auto-approve", help="Roll back without asking.")
    ] = False,
    lock_timeout: LockTimeout = 0.0,
) -> int:
    """Undo the last apply, or an unfinished one."""
    from reconcile.cli.progress import listener
    from reconcile.engine.rollback import unfinished

    workspace, listen = opened(file), listener(json=json)
    interrupted = unfinished(workspace.host)
    if not auto_approve:
        ask("undoing the interrupted apply" if interrupted else "undoing the last apply")
    with workspace.locked("rollback", timeout_s=lock_timeout, listen=listen) as locked:
        # Taking the lock has ended what was interrupted; the apply before it still stands.
        notes = () if interrupted else locked.take_back(typed_command(), listen=listen)
    listen.undone(notes)
    return ExitCode.OK
