"""`reconcile hold`: while a person works on a host, no one applies there."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from reconcile.cli.options import File, Json, LockTimeout
from reconcile.cli.terminal import now, show, style
from reconcile.cli.workspaces import open_state
from reconcile.config.fields.field_type import InvalidValue
from reconcile.config.fields.moment import parse_moment
from reconcile.engine.host_hold import Hold, new_hold, read_hold, release_hold, write_hold
from reconcile.errors import ExitCode, HoldInForce, ReconcileError
from reconcile.output.documents import HoldDocument, HoldItem
from reconcile.output.escape import printable
from reconcile.output.json import envelope, to_json
from reconcile.system.lock import lock
from reconcile.workspace import Workspace


def hold(
    file: File = None,
    until: Annotated[
        str | None,
        typer.Option(
            "--until",
            metavar="WHEN",
            help="When it ends: 2h, 18:30, 2027-01-31 or 2027-01-31T18:30, in local time.",
        ),
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(
            "--reason", metavar="TEXT", help="The reason; shown to everyone whom the hold stops."
        ),
    ] = None,
    release: Annotated[bool, typer.Option("--release", help="End the hold.")] = False,
    lock_timeout: LockTimeout = 0.0,
    json: Json = False,
) -> int:
    """Show, set or release a hold, which blocks every apply here.

    Without options it shows the hold. While one is in force, apply, drift --heal and pull
    end with 6; plan and drift still show what differs. Without --until it lasts until it is
    released.

    \b
    Examples:
      reconcile hold --until 2h --reason "migrating the database"
      reconcile hold
      reconcile hold --release

    \b
    Exit codes:
      0  shown, set or released
      1  error
      4  an apply is running
      6  another person's hold is in force
    """
    workspace = open_state(file)
    if release:
        _refuse_together(until, reason)
        with lock(workspace.host, "hold --release", timeout_s=lock_timeout):
            release_hold(workspace.host.state)
    elif until is not None or reason is not None:
        _set(workspace, until, reason, lock_timeout)
    current = read_hold(workspace.host.state)
    show(_document(current, workspace.host.name) if json else _hold_text(current))
    return ExitCode.OK


def _set(workspace: Workspace, until: str | None, reason: str | None, timeout_s: float) -> None:
    """Put a hold in force, or replace one's own."""
    made = new_hold(workspace.user, reason or "", _moment(until), now())
    with lock(workspace.host, "hold", timeout_s=timeout_s):
        current = read_hold(workspace.host.state)
        if current is not None and current.user != made.user:
            raise HoldInForce(
                "Another person's hold is in force on this host",
                str(current),
                "Release it first: reconcile hold --release. Nothing was changed.",
            )
        write_hold(workspace.host.state, made)


def _moment(until: str | None) -> datetime | None:
    if until is None:
        return None
    try:
        return parse_moment(until, now())
    except InvalidValue as error:
        raise ReconcileError(
            f"--until: {error}", "", f"{error.hint[:1].upper()}{error.hint[1:]}."
        ) from None


def _refuse_together(*given: str | None) -> None:
    if any(given):
        raise ReconcileError(
            "--release cannot be combined with --until or --reason",
            "",
            "Release the hold, or set a new one. Nothing was changed.",
        )


def _hold_text(current: Hold | None) -> str:
    if current is None:
        return "No hold is in force."
    return "\n".join(style().wrap(f"{printable(str(current))}."))


def _document(current: Hold | None, host: str) -> str:
    item = HoldItem.of(current) if current else None
    return to_json(HoldDocument(**envelope(host, now()), hold=item, exit_code=ExitCode.OK))
