"""Taking an apply back, effect by effect."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from reconcile.engine.digest import canonical
from reconcile.engine.history import Actor, HistoryEntry
from reconcile.engine.interrupt import uninterrupted
from reconcile.engine.journal import Journal, JournalStatus, journals
from reconcile.engine.ledger import Rows, decode
from reconcile.engine.ledger_store import next_records, now, read_ledger, sweep_records
from reconcile.engine.model import Event
from reconcile.engine.observe import error_reason
from reconcile.errors import ReconcileError
from reconcile.filesystem.fsync import flush
from reconcile.filesystem.host_error import explained
from reconcile.filesystem.undo import Undo, coalesced, to_json

if TYPE_CHECKING:
    from reconcile.system import Host

Listen = Callable[[Event], None]
RETAINED = 2
"""Journals kept after their end: the last apply's, and one beside it."""


class RollbackFailed(ReconcileError):
    """The host is not what it was; the journal says what is left to take back."""


def roll_back(journal: Journal, host: Host, entry: HistoryEntry) -> tuple[str, ...]:
    """Take back all that `journal` intended, then write down that it was.

    Returns what was left as it is because somebody else has changed it since.
    Safe to be killed in, and to be called again.
    Errors: RollbackFailed, after everything else was taken back.
    """
    host.recorder = None
    journal.close()
    with uninterrupted():
        notes, problems = _undo_all(journal.undos(), host)
        if problems:
            raise _unfinished(journal, problems)
        try:
            _write_down(journal, host, entry)
        except (ReconcileError, OSError) as error:
            raise _untold(error) from error
        if not notes:
            # What cannot be dropped now goes with the journals that have served their time.
            with suppress(ReconcileError, OSError):
                journal.discard(host)
    return notes


def recover(host: Host, listen: Listen) -> tuple[str, ...]:
    """Bring to its end what an interrupted apply left behind; the caller holds the lock.

    What was decided is finished, all else is rolled back. Says so, and returns what it said.
    """
    sweep_records(host.state)
    return tuple(note for journal in journals(host.state) for note in _end(journal, host, listen))


def unfinished(host: Host) -> tuple[HistoryEntry, ...]:
    """The applies that `recover` would bring to an end; reads only."""
    found = [journal.status for journal in journals(host.state)]
    return tuple(status.entry for status in found if status and status.phase != "ended")


def last_applied(host: Host) -> HistoryEntry:
    """The apply that `take_back_last` would undo; reads only. Errors: ReconcileError for none."""
    _, status = _last_applied(host)
    return status.row.entry if status.row else status.entry


def rollback_last(host: Host, by: Actor, listen: Listen) -> tuple[str, ...]:
    """Undo the last apply, whose verdict was that it stands; the caller holds the lock.

    Errors: ReconcileError where there is none, RollbackFailed.
    """
    journal, status = _last_applied(host)
    entry = HistoryEntry(
        now(),
        by,
        "rolled_back",
        _reversed(status.entry),
        status.entry.config,
        status.entry.fingerprint,
    )
    journal.reopen(entry)
    listen(Event("rollback", message=f"taking back the apply of {status.entry.at}"))
    return roll_back(journal, host, entry)


def prune_journals(host: Host) -> None:
    """Drop the journals, and what they kept, that are older than anyone may ask for."""
    for journal in [*journals(host.state)][RETAINED:]:
        journal.discard(host)


def _undo_all(undos: Sequence[Undo], host: Host) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Last first; one that fails does not keep the others from being tried.

    Durable when this returns. All are flushed together: until then the journal is
    open, and whoever comes after a power cut takes back what was not flushed.
    """
    notes: list[str] = []
    problems: list[str] = []
    for undo in _in_order(undos):
        try:
            notes.append(undo.undo(host))
        except (ReconcileError, OSError) as error:
            problems.append(error_reason(error))
    try:
        with explained("what was taken back cannot be made durable"):
            flush(undo.folder for undo in undos if undo.folder)
    except ReconcileError as error:
        problems.append(error_reason(error))
    return tuple(filter(None, notes)), tuple(problems)


def _in_order(undos: Sequence[Undo]) -> Iterator[Undo]:
    yield from reversed([*coalesced(undo for undo in undos if not undo.run_last)])
    # A reload that was told three times is made good by one.
    yield from {canonical(to_json(undo)): undo for undo in undos if undo.run_last}.values()


def _write_down(journal: Journal, host: Host, entry: HistoryEntry) -> None:
    status = journal.status
    before = decode(status.before.encode()).rows if status else {}
    ledger = read_ledger(host.state)
    rows = dict(sorted({**_still_protected(ledger.rows, host), **before}.items()))
    after, row = next_records(ledger, rows, entry)
    journal.commit(row, after)
    journal.finalize()


def _still_protected(rows: Rows, host: Host) -> Rows:
    """Other people's data that has arrived is theirs, though its declaration is taken back."""
    kept = ((ref, row) for ref, row in rows.items() if row.protected)
    return {ref: row for ref, row in kept if _holds_something(ref.name, host)}


def _holds_something(path: str, host: Host) -> bool:
    """What cannot be looked into counts as full."""
    try:
        there = host.files.stat(path, follow=True) is not None
        return there and bool(host.files.listdir(path))
    except (ReconcileError, OSError):
        return True


def _end(journal: Journal, host: Host, listen: Listen) -> Iterator[str]:
    host.state.sweep(journal.folder)
    status = journal.status
    if status is None:
        host.state.remove(journal.folder)
    elif status.phase == "decided":
        journal.finalize()
        yield _told(
            listen, f"The apply of {status.entry.at} was done but not written down; now it is."
        )
    elif status.phase == "open":
        yield _told(listen, f"The apply of {status.entry.at} was interrupted and is rolled back.")
        ended = replace(status.entry, result="rolled_back", error="interrupted")
        yield from roll_back(journal, host, ended)


def _told(listen: Listen, message: str) -> str:
    listen(Event("rollback", message=message))
    return message


def _last_applied(host: Host) -> tuple[Journal, JournalStatus]:
    for journal in journals(host.state):
        status = journal.status
        if status and status.row and status.row.entry.result in ("applied", "failed"):
            return journal, status
    raise ReconcileError(
        "There is no apply to take back.",
        "None was made here, the last one was rolled back already, or its journal is gone.",
        "`reconcile history` tells what was applied. Nothing was changed.",
    )


def _reversed(entry: HistoryEntry) -> tuple[tuple[str, str, str], ...]:
    opposite = {"create": "delete", "delete": "create"}
    return tuple(
        (address, opposite.get(action, action), cause)
        for address, action, cause in reversed(entry.changes)
    )


def _untold(error: ReconcileError | OSError) -> RollbackFailed:
    return RollbackFailed(
        "Everything was taken back, but that could not be written down.",
        error_reason(error),
        "Remove the cause, then run `reconcile rollback`, which ends it.",
    )


def _unfinished(journal: Journal, problems: Sequence[str]) -> RollbackFailed:
    return RollbackFailed(
        "The rollback could not be finished: a part of the host is not what it was.",
        "; ".join(problems),
        f"Remove the cause, then run `reconcile rollback`: it goes on where this stopped"
        f" ({journal.folder}).",
    )
