"""Finishing applies that were interrupted."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from reconcile.engine.apply_report import Event, EventHandler
from reconcile.engine.history import HistoryEntry
from reconcile.engine.journal import Journal, journals
from reconcile.engine.ledger_store import next_records, sweep_records
from reconcile.engine.protection_record import read_owned
from reconcile.engine.rollback import roll_back
from reconcile.engine.rollback_plan import begun_changes

if TYPE_CHECKING:
    from reconcile.system import Host


def recover(host: Host, on_event: EventHandler) -> tuple[str, ...]:
    """Finish every interrupted apply; the caller holds the lock.

    A committed one is recorded, any other one is rolled back. Returns a note for each.
    """
    sweep_records(host.state)
    return tuple(
        note for journal in journals(host.state) for note in _finish(journal, host, on_event)
    )


def why_only_by_hand(journal: Journal, host: Host) -> str:
    """Why the effects of `journal` may only be undone by who decides that; "" where they may."""
    found = (undo.prevents_automatic(host) for undo in journal.undos())
    return next(filter(None, found), "")


def unfinished(host: Host) -> tuple[HistoryEntry, ...]:
    """The applies that `recover` would finish; reads only."""
    found = [journal.status for journal in journals(host.state) if not journal.is_ended]
    return tuple(status.entry for status in found if status)


def _finish(journal: Journal, host: Host, on_event: EventHandler) -> Iterator[str]:
    host.state.remove_temporaries(journal.folder)
    status = journal.status
    if status is None:
        host.state.remove(journal.folder)
    elif status.phase == "decided":
        journal.finalize()
        yield _announce(
            on_event,
            (
                f"The apply of {status.entry.at} had succeeded without being recorded; it is"
                " recorded now."
            ),
        )
    elif status.phase == "open":
        yield from _finish_open(journal, host, status.entry, on_event)


def _finish_open(
    journal: Journal, host: Host, begun: HistoryEntry, on_event: EventHandler
) -> Iterator[str]:
    if begun.undoes_another:
        # It is the entry of `reconcile rollback`, and keeps its meaning.
        ended, prevented = begun, ""
    else:
        ended = replace(begun, result="rolled_back", error="interrupted")
        prevented = why_only_by_hand(journal, host)
    if prevented:
        _leave(journal, host, begun, prevented)
        yield _announce(
            on_event,
            f"The apply of {begun.at} was interrupted, and is not rolled back: {prevented}."
            " Apply again to finish it, or go back: reconcile rollback",
        )
        return
    yield _announce(on_event, f"The apply of {begun.at} was interrupted: rolling it back.")
    done = roll_back(journal, host, ended)
    for note in (*done.notes, *done.kept):
        yield _announce(on_event, f"Note: {note}")


def _leave(journal: Journal, host: Host, begun: HistoryEntry, prevented: str) -> None:
    """Record an interrupted apply as failed, with all that it has done."""
    ledger = read_owned(host)
    error = f"interrupted, and not rolled back: {prevented}"
    changes = begun_changes(begun.changes, journal.undos())
    entry = replace(begun, result="failed", error=error, changes=changes)
    after, row = next_records(ledger, ledger.rows, entry)
    journal.commit(row, after)
    journal.finalize()


def _announce(on_event: EventHandler, message: str) -> str:
    on_event(Event("rollback", message=message))
    return message
