"""Removing resources from the ledger while the host stays as it is."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

from reconcile.engine.history import Actor, HistoryEntry
from reconcile.engine.journal import Journal
from reconcile.engine.ledger import Ledger, encode
from reconcile.engine.ledger_store import next_records, now
from reconcile.engine.protection_record import other_ledgers, read_owned, read_record, write_record
from reconcile.engine.resource import Ref
from reconcile.errors import ReconcileError

if TYPE_CHECKING:
    from reconcile.system import Host


def untrack(host: Host, refs: Collection[Ref], by: Actor, *, protected_too: bool = False) -> Ledger:
    """Stop owning `refs`, and record it in the history; the caller holds the lock.

    Errors: ReconcileError for what is not owned, or is protected without `protected_too`.
    """
    ledger = read_owned(host)
    _refuse_untracking(host, ledger, refs, protected_too=protected_too)
    rows = {ref: row for ref, row in ledger.rows.items() if ref not in refs}
    changes = tuple((str(ref), "forget", "pending") for ref in sorted(refs))
    entry = HistoryEntry(now(), by, "forgotten", changes)
    after, row = next_records(ledger, rows, entry)
    # By way of a journal, so that a crash in between leaves both records or none.
    journal = Journal.begin(host.state, encode(ledger), entry)
    journal.commit(row, after)
    journal.finalize()
    # Kept, it would displace the journal of the last apply, which can still be rolled back.
    journal.discard()
    write_record(host, rows, refs)
    return read_owned(host)


def _refuse_untracking(
    host: Host, ledger: Ledger, refs: Collection[Ref], *, protected_too: bool
) -> None:
    recorded = {ref for known in read_record(host).values() for ref in known}
    for ref in sorted(refs):
        if ref not in ledger.rows and ref not in recorded:
            raise ReconcileError(f"{ref} is not in the ledger", "", "See `reconcile state list`.")
        is_protected = ref in recorded or ledger.rows[ref].protected
        if is_protected and not protected_too:
            raise ReconcileError(
                f"{ref} is protected, and only the ledger records that",
                "once forgotten, it could be overwritten if the YAML drops its declaration",
                "Use --protected-too if that is what you want. Nothing was changed.",
            )
        _refuse_other_ledgers(host, ref)


def _refuse_other_ledgers(host: Host, ref: Ref) -> None:
    for path, rows in other_ledgers(host):
        if ref in rows and rows[ref].protected:
            raise ReconcileError(
                f"{ref} is protected by the ledger in {path}, too",
                "every state directory of this host protects what it knows",
                f"Forget it there first, with `host.state_dir: {path}`. Nothing was changed.",
            )
