"""`reconcile state`: what the ledger holds; and what it shall no longer hold."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from reconcile.cli.approval import typed_command
from reconcile.cli.options import File, Json, LockTimeout, Sites, opened_records
from reconcile.cli.terminal import now, show
from reconcile.errors import ExitCode, ReconcileError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from reconcile.engine.ledger import Rows
    from reconcile.engine.resource import Ref

state = typer.Typer(
    help="What reconcile remembers of this host: its ledger.",
    no_args_is_help=True,
    rich_markup_mode=None,
)
Address = Annotated[str, typer.Argument(metavar="REF", help="An address, as `state list` has it.")]


@state.command("list")
def list_(file: File = None, json: Json = False, site: Sites = None) -> int:
    """List every address that reconcile owns here."""
    from reconcile.output.state import state_text

    workspace = opened_records(file)
    rows = workspace.ledger.rows
    if site:
        rows = _of_sites(rows, site)
    show(_document(rows, workspace.host.name) if json else state_text(rows))
    return ExitCode.OK


@state.command("show")
def show_(address: Address, file: File = None, json: Json = False) -> int:
    """Show what is remembered of one address: digests, never contents."""
    from reconcile.engine.resource import Ref
    from reconcile.output.state import row_text

    workspace, ref = opened_records(file), Ref.parse(address)
    row = workspace.ledger.rows.get(ref)
    if row is None:
        raise ReconcileError(
            f"{address} is not in the ledger", "", "`reconcile state list` tells what is."
        )
    show(_document({ref: row}, workspace.host.name) if json else row_text(ref, row))
    return ExitCode.OK


@state.command("forget")
def forget(
    addresses: Annotated[
        list[str], typer.Argument(metavar="REF...", help="Addresses, as `state list` has them.")
    ],
    file: File = None,
    json: Json = False,
    protected_too: Annotated[
        bool, typer.Option("--protected-too", help="Also what is protected as people's data.")
    ] = False,
    lock_timeout: LockTimeout = 0.0,
) -> int:
    """Own these no longer; the host stays as it is."""
    from reconcile.engine.resource import Ref
    from reconcile.engine.untrack import forget
    from reconcile.workspace.applying import locked

    refs = [Ref.parse(address) for address in dict.fromkeys(addresses)]
    with locked(opened_records(file), "state forget", timeout_s=lock_timeout) as current:
        actor = current.actor(typed_command())
        rows = forget(current.host, refs, actor, protected_too=protected_too).rows
        told = _document(rows, current.host.name, refs) if json else _forgotten(refs)
    show(told)
    return ExitCode.OK


def _of_sites(rows: Rows, sites: Sequence[str]) -> Rows:
    """Errors: ReconcileError for a site that nothing is of."""
    known = {site for row in rows.values() for site in row.sites}
    for site in sites:
        if site not in known:
            raise ReconcileError(
                f"Nothing in the ledger is of the site {site}",
                "",
                f"Known are: {', '.join(sorted(known)) or 'none'}.",
            )
    return {ref: row for ref, row in rows.items() if not {*sites}.isdisjoint(row.sites)}


def _forgotten(refs: Sequence[Ref]) -> str:
    from reconcile.output.escape import printable

    return "\n".join(f"Forgotten: {printable(str(ref))}. It stays on the host." for ref in refs)


def _document(rows: Rows, host: str, forgotten: Sequence[Ref] = ()) -> str:
    from reconcile.output.json import dumped
    from reconcile.output.state import state_document

    return dumped(state_document(rows, host, now=now(), forgotten=forgotten))
