"""Rolling back an apply, effect by effect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from reconcile.engine.digest import canonical
from reconcile.engine.history import Actor, HistoryEntry, HistoryRow
from reconcile.engine.interrupt import uninterrupted
from reconcile.engine.journal import Journal, JournalStatus, journals
from reconcile.engine.ledger import Rows, decode
from reconcile.engine.ledger_store import next_records, now, sweep_records
from reconcile.engine.model import Event, EventHandler
from reconcile.engine.protection_record import protected_on, read_owned, write_record
from reconcile.errors import ReconcileError
from reconcile.filesystem.fsync import flush
from reconcile.filesystem.host_error import explained, in_one_line
from reconcile.filesystem.place_guard import PlaceGuard
from reconcile.filesystem.undo import Undo, coalesced, to_json

if TYPE_CHECKING:
    from reconcile.system import Host

RETAINED = 2
"""How many ended journals are kept: the last apply's and one more."""


class RollbackFailed(ReconcileError):
    """The host was not fully restored; the journal records what is left to undo."""


def roll_back(journal: Journal, host: Host, entry: HistoryEntry) -> tuple[str, ...]:
    """Undo all effects of `journal`, then record that.

    Returns a note for each thing that was left because another program changed it since.
    It may be killed at any point and called again.
    Errors: RollbackFailed, after everything else was undone.
    """
    host.recorder, host.guard = None, _guard(journal, host)
    journal.close()
    with uninterrupted():
        notes, problems = _undo_all(journal.undos(), host)
        if problems:
            raise _rollback_incomplete(journal, problems)
        try:
            _record_rollback(journal, host, entry)
        except (ReconcileError, OSError) as error:
            raise _rollback_not_recorded(error) from error
        if not notes:
            # What cannot be deleted now is deleted with the old journals.
            with suppress(ReconcileError, OSError):
                journal.discard()
    return notes


def recover(host: Host, on_event: EventHandler) -> tuple[str, ...]:
    """Finish every interrupted apply; the caller holds the lock.

    A committed one is recorded, any other one is rolled back. Returns a note for each.
    """
    sweep_records(host.state)
    return tuple(
        note for journal in journals(host.state) for note in _finish(journal, host, on_event)
    )


def unfinished(host: Host) -> tuple[HistoryEntry, ...]:
    """The applies that `recover` would finish; reads only."""
    found = [journal.status for journal in journals(host.state)]
    return tuple(status.entry for status in found if status and status.phase != "ended")


def last_applied(host: Host) -> HistoryRow:
    """The apply that `rollback_last` would undo; reads only. Errors: ReconcileError for none."""
    *_, row = _last_applied(host)
    return row


def sites_undone(entry: HistoryEntry, rows: Rows) -> tuple[str, ...]:
    """The sites that go with the apply of `entry`: it created all of their files."""
    created = {address for address, action, _ in entry.changes if action == "create"}
    files: dict[str, set[str]] = {}
    for ref, row in rows.items():
        for site in row.sites if ref.kind in ("file", "symlink") else ():
            files.setdefault(site, set()).add(str(ref))
    return tuple(sorted(site for site, addresses in files.items() if addresses <= created))


def rollback_last(host: Host, by: Actor, on_event: EventHandler) -> tuple[str, ...]:
    """Undo the last apply; the caller holds the lock.

    Errors: ReconcileError if there is none, RollbackFailed.
    """
    journal, status, _ = _last_applied(host)
    entry = HistoryEntry(
        now(),
        by,
        "rolled_back",
        _reversed_changes(status.entry),
        status.entry.config,
        status.entry.fingerprint,
    )
    journal.reopen(entry)
    on_event(Event("rollback", message=f"rolling back the apply of {status.entry.at}"))
    return roll_back(journal, host, entry)


def prune_journals(host: Host) -> None:
    """Delete the journals, and their backups, that can no longer be rolled back."""
    for journal in [*journals(host.state)][RETAINED:]:
        journal.discard()


def _undo_all(undos: Sequence[Undo], host: Host) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Undo the last one first; a failure does not stop the others. Notes and problems.

    All are flushed together at the end: until then the journal is open, and after a power
    cut the next command undoes what was not flushed.
    """
    notes: list[str] = []
    problems: list[str] = []
    for undo in _undo_order(undos):
        try:
            notes.append(undo.undo(host))
        except (ReconcileError, OSError) as error:
            problems.append(in_one_line(error))
    try:
        with explained("the rollback cannot be flushed to disk"):
            flush(undo.folder for undo in undos if undo.folder)
    except ReconcileError as error:
        problems.append(in_one_line(error))
    return tuple(filter(None, notes)), tuple(problems)


def _undo_order(undos: Sequence[Undo]) -> Iterator[Undo]:
    yield from reversed([*coalesced(undo for undo in undos if not undo.run_last)])
    # One reload undoes any number of them.
    distinct = {canonical(to_json(undo)): undo for undo in undos if undo.run_last}
    yield from coalesced(distinct.values())


def _guard(journal: Journal, host: Host) -> PlaceGuard:
    """What was protected before the apply, or is so now."""
    status = journal.status
    return PlaceGuard(protected_on(host, decode(status.before.encode()).rows if status else {}))


def _record_rollback(journal: Journal, host: Host, entry: HistoryEntry) -> None:
    status = journal.status
    before = decode(status.before.encode()).rows if status else {}
    ledger = read_owned(host)
    rows = dict(sorted({**_still_protected(ledger.rows, host), **before}.items()))
    after, row = next_records(ledger, rows, entry)
    journal.commit(row, after)
    journal.finalize()
    write_record(host, rows, [ref for ref in ledger.rows if ref not in rows])


def _still_protected(rows: Rows, host: Host) -> Rows:
    """Data that has arrived since stays protected, although its declaration is rolled back."""
    kept = ((ref, row) for ref, row in rows.items() if row.protected)
    return {ref: row for ref, row in kept if _holds_something(ref.name, host)}


def _holds_something(path: str, host: Host) -> bool:
    """Whether it has entries; True if it cannot be read."""
    try:
        exists = host.files.stat(path, follow=True) is not None
        return exists and bool(host.files.listdir(path))
    except (ReconcileError, OSError):
        return True


def _finish(journal: Journal, host: Host, on_event: EventHandler) -> Iterator[str]:
    host.state.remove_temporaries(journal.folder)
    status = journal.status
    if status is None:
        host.state.remove(journal.folder)
    elif status.phase == "decided":
        journal.finalize()
        yield _announce(
            on_event, f"The apply of {status.entry.at} had succeeded unrecorded: recorded it."
        )
    elif status.phase == "open":
        yield _announce(
            on_event, f"The apply of {status.entry.at} was interrupted: rolling it back."
        )
        # An entry that was reopened is that of `reconcile rollback`, and keeps its meaning.
        ended = (
            status.entry
            if status.entry.undoes_another
            else replace(status.entry, result="rolled_back", error="interrupted")
        )
        yield from roll_back(journal, host, ended)


def _announce(on_event: EventHandler, message: str) -> str:
    on_event(Event("rollback", message=message))
    return message


def _last_applied(host: Host) -> tuple[Journal, JournalStatus, HistoryRow]:
    for journal in journals(host.state):
        status = journal.status
        if status and status.row and status.row.entry.result in ("applied", "failed"):
            return journal, status, status.row
    raise ReconcileError(
        "No apply can be rolled back.",
        "None was made here, the last one was already rolled back, or its journal is missing.",
        "Run `reconcile history` to see what was applied. Nothing was changed.",
    )


def _reversed_changes(entry: HistoryEntry) -> tuple[tuple[str, str, str], ...]:
    opposite = {"create": "delete", "delete": "create"}
    return tuple(
        (address, opposite.get(action, action), cause)
        for address, action, cause in reversed(entry.changes)
    )


def _rollback_not_recorded(error: ReconcileError | OSError) -> RollbackFailed:
    return RollbackFailed(
        "The rollback succeeded, but could not be recorded.",
        in_one_line(error),
        "Remove the cause, then run `reconcile rollback` to finish.",
    )


def _rollback_incomplete(journal: Journal, problems: Sequence[str]) -> RollbackFailed:
    return RollbackFailed(
        "The rollback is incomplete: a part of the host was not restored.",
        "\n".join(problems),
        f"Remove the cause, then run `reconcile rollback` to continue ({journal.folder}).",
    )
