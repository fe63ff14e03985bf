"""Taking something out of the ledger, while the host stays as it is."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from reconcile.engine.history import Actor, HistoryEntry
from reconcile.engine.journal import Journal
from reconcile.engine.ledger import Ledger, encode
from reconcile.engine.ledger_store import next_records, now, read_ledger
from reconcile.engine.resource import Ref
from reconcile.errors import ReconcileError

if TYPE_CHECKING:
    from reconcile.system import Host


def forget(host: Host, refs: Collection[Ref], by: Actor, *, protected_too: bool = False) -> Ledger:
    """Own `refs` no longer; the caller holds the lock. The history tells it.

    Errors: ReconcileError for what is not owned, or is protected and shall stay so.
    """
    ledger = read_ledger(host.state)
    _refuse(ledger, refs, protected_too=protected_too)
    rows = {ref: row for ref, row in ledger.rows.items() if ref not in refs}
    changes = tuple((str(ref), "forget", "pending") for ref in sorted(refs))
    entry = HistoryEntry(now(), by, "forgotten", changes)
    after, row = next_records(ledger, rows, entry)
    # By way of a journal, so that a crash in between leaves both records or none.
    journal = Journal.begin(host.state, encode(ledger), entry)
    journal.commit(row, after)
    journal.finalize()
    # Kept, it would push out that of the last apply, which can still be taken back.
    journal.discard(host)
    return read_ledger(host.state)


def _refuse(ledger: Ledger, refs: Collection[Ref], *, protected_too: bool) -> None:
    for ref in sorted(refs):
        if ref not in ledger.rows:
            raise ReconcileError(
                f"{ref} is not in the ledger", "", "`reconcile state list` tells what is."
            )
        if ledger.rows[ref].protected and not protected_too:
            raise ReconcileError(
                f"{ref} is protected, and the ledger is what remembers that",
                "forgotten, it could be written over once the YAML no longer calls it media",
                "Say --protected-too if that is what you want. Nothing was changed.",
            )
