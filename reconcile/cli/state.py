"""`reconcile state`: the ledger of managed resources."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from reconcile.cli.approval import typed_command
from reconcile.cli.options import File, Json, LockTimeout, Sites
from reconcile.cli.terminal import now, show
from reconcile.cli.workspaces import open_state
from reconcile.engine.ledger import Rows
from reconcile.engine.resource import Ref
from reconcile.engine.untrack import untrack
from reconcile.errors import ExitCode, ReconcileError
from reconcile.output.escape import printable
from reconcile.output.json import to_json
from reconcile.output.ledger_rows import row_text, state_document, state_text
from reconcile.workspace.applying import locked

state = typer.Typer(
    help="""Show and edit the ledger of managed resources.

    \b
    Examples:
      reconcile state list
      reconcile state forget file:/etc/myapp/app.env
    """,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
)
Address = Annotated[
    str, typer.Argument(metavar="REF", help="An address, as `state list` prints it.")
]


@state.command("list")
def list_(file: File = None, json: Json = False, site: Sites = None) -> int:
    """List the addresses of all managed resources.

    \b
    Example:
      reconcile state list --site shop

    \b
    Exit codes:
      0  listed
      1  error
    """
    workspace = open_state(file)
    rows = workspace.ledger.rows
    if site:
        rows = _rows_of_sites(rows, site)
    show(_state_json(rows, workspace.host.name) if json else state_text(rows))
    return ExitCode.OK


@state.command("show")
def show_(address: Address, file: File = None, json: Json = False) -> int:
    """Show what the ledger records of a resource: digests, no contents.

    \b
    Example:
      reconcile state show file:/etc/myapp/app.env

    \b
    Exit codes:
      0  shown
      1  error, or not in the ledger
    """
    workspace, ref = open_state(file), Ref.parse(address)
    row = workspace.ledger.rows.get(ref)
    if row is None:
        raise ReconcileError(f"{address} is not in the ledger", "", "See `reconcile state list`.")
    show(_state_json({ref: row}, workspace.host.name) if json else row_text(ref, row))
    return ExitCode.OK


@state.command("forget")
def forget(
    addresses: Annotated[
        list[str], typer.Argument(metavar="REF", help="Addresses, as `state list` prints them.")
    ],
    file: File = None,
    json: Json = False,
    protected_too: Annotated[
        bool, typer.Option("--protected-too", help="Also forget protected (user-data) resources.")
    ] = False,
    lock_timeout: LockTimeout = 0.0,
) -> int:
    """Stop managing resources; leave them on the host.

    \b
    Example:
      reconcile state forget file:/etc/myapp/app.env

    \b
    Exit codes:
      0  forgotten
      1  error, or not in the ledger
      4  another apply is running
    """
    refs = [Ref.parse(address) for address in dict.fromkeys(addresses)]
    with locked(open_state(file), "state forget", timeout_s=lock_timeout) as current:
        actor = current.actor(typed_command())
        rows = untrack(current.host, refs, actor, protected_too=protected_too).rows
        text = _state_json(rows, current.host.name, refs) if json else _forgotten_text(refs)
    show(text)
    return ExitCode.OK


def _rows_of_sites(rows: Rows, sites: Sequence[str]) -> Rows:
    """Errors: ReconcileError for a site that has no rows."""
    known = {site for row in rows.values() for site in row.sites}
    for site in sites:
        if site not in known:
            fix = f"Sites in the ledger: {', '.join(sorted(known)) or 'none'}."
            raise ReconcileError(f"Unknown site: {site}", "", fix)
    return {ref: row for ref, row in rows.items() if not {*sites}.isdisjoint(row.sites)}


def _forgotten_text(refs: Sequence[Ref]) -> str:
    return "\n".join(f"Forgotten: {printable(str(ref))}. It stays on the host." for ref in refs)


def _state_json(rows: Rows, host: str, forgotten: Sequence[Ref] = ()) -> str:
    return to_json(state_document(rows, host, now=now(), forgotten=forgotten))
