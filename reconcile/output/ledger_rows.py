"""The rows of the ledger, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from reconcile.engine.ledger import LedgerRow, Rows
from reconcile.engine.resource import Ref
from reconcile.output.command_documents import StateDocument, StateItem
from reconcile.output.escape import printable
from reconcile.output.json import envelope


def state_text(rows: Rows) -> str:
    """List the addresses, one per line."""
    return "\n".join(printable(str(ref)) for ref in rows) or "The ledger is empty."


def row_text(ref: Ref, row: LedgerRow) -> str:
    """Render everything that the ledger records of a resource."""
    facts = {
        "sites": ", ".join(row.sites) or "-",
        "since": row.since,
        "created": "by reconcile" if row.created else "before reconcile, and adopted",
        "protected": "yes" if row.protected else "no",
    }
    lines = [
        printable(str(ref)),
        *(f"  {name}: {printable(value)}" for name, value in facts.items()),
    ]
    lines += [f"  last written {name}: {digest}" for name, digest in sorted(row.digests.items())]
    return "\n".join([printable(str(ref)), *lines])


def state_document(
    rows: Rows, host: str, *, now: datetime, forgotten: Sequence[Ref] = ()
) -> StateDocument:
    """Build the object of `state list|show|forget --json`."""
    return StateDocument(
        **envelope(host, now),
        resources=[
            StateItem.of(row, address=str(ref), kind=ref.kind, name=ref.name)
            for ref, row in rows.items()
        ],
        forgotten=[str(ref) for ref in forgotten],
        exit_code=0,
    )
