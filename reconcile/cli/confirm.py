"""`reconcile confirm`: keep what `apply --confirm` would otherwise roll back."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from reconcile.cli.options import File, Json, LockTimeout
from reconcile.cli.terminal import now, show
from reconcile.cli.workspaces import open_state
from reconcile.engine.apply_report import Event
from reconcile.engine.checks import failed_checks
from reconcile.errors import ExitCode
from reconcile.output.documents import ConfirmDocument
from reconcile.output.json import envelope, to_json
from reconcile.output.text import rollback_text
from reconcile.system import Host, HostSettings
from reconcile.system.lock import lock
from reconcile.workspace import confirming
from reconcile.workspace.expiring import roll_back_unless_confirmed


def confirm(
    file: File = None,
    lock_timeout: LockTimeout = 0.0,
    or_roll_back: Annotated[
        bool,
        typer.Option(
            "--or-roll-back", hidden=True, help="Wait, and roll back at the deadline: for the unit."
        ),
    ] = False,
    state_dir: Annotated[
        str,
        typer.Option("--state-dir", metavar="DIR", hidden=True, help="Where the record lies."),
    ] = "/var/lib/reconcile",
    json: Json = False,
) -> int:
    """Keep what `apply --confirm` would otherwise roll back.

    \b
    Examples:
      reconcile confirm
      reconcile confirm -f shop.yaml

    \b
    Exit codes:
      0  confirmed: it stays
      1  error, nothing waits for confirmation, or it is too late
      4  an apply or the rollback is running
    """
    if or_roll_back:
        return _wait(Host(HostSettings(state_dir=state_dir)))
    host = open_state(file).host
    with lock(host, "confirm", timeout_s=lock_timeout):
        number = confirming.confirm(host).number
    if json:
        show(
            to_json(
                ConfirmDocument(
                    **envelope(host.name, now()),
                    number=number,
                    result="confirmed",
                    exit_code=ExitCode.OK,
                )
            )
        )
    else:
        show(f"Confirmed: apply #{number} stays.")
    return ExitCode.OK


def _wait(host: Host) -> int:
    """What the unit runs; the journal keeps what it prints."""
    done = roll_back_unless_confirmed(host, _print_event)
    if done is None:
        return ExitCode.OK
    show(rollback_text(done.notes, done.checks))
    return ExitCode.VERIFICATION_FAILED if failed_checks(done.checks) else ExitCode.OK


def _print_event(event: Event) -> None:
    if event.message:
        sys.stderr.write(f"{event.message}\n")
