"""Rolling back an apply, effect by effect."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import TYPE_CHECKING

from reconcile.dataclass import dataclass
from reconcile.engine.apply_report import Event, EventHandler
from reconcile.engine.history import Actor, HistoryEntry, HistoryRow, reversed_changes
from reconcile.engine.interrupt import uninterrupted
from reconcile.engine.journal import Journal, journals
from reconcile.engine.ledger import Ledger, Rows, ScopeRows, decode
from reconcile.engine.ledger_store import next_records, now
from reconcile.engine.open_pages import OpenPages
from reconcile.engine.protection_record import protected_on, read_owned, write_record
from reconcile.engine.rollback_plan import journals_by_number
from reconcile.engine.undo_order import undo_order
from reconcile.errors import ReconcileError
from reconcile.filesystem.fsync import flush
from reconcile.filesystem.host_error import explained, in_one_line
from reconcile.filesystem.place_guard import PlaceGuard
from reconcile.filesystem.undo import Undo

if TYPE_CHECKING:
    from reconcile.system import Host

RETAINED = 5
"""How many ended journals are kept: so many applies can be rolled back."""


class RollbackFailed(ReconcileError):
    """The host was not fully restored; the journal records what is left to undo."""


def roll_back(journal: Journal, host: Host, entry: HistoryEntry) -> RolledBack:
    """Undo all effects of `journal`, then record that.

    It may be killed at any point and called again.
    Errors: RollbackFailed, after everything else was undone.
    """
    return _roll_back_all([(journal, entry)], host)


def _roll_back_all(steps: Sequence[tuple[Journal, HistoryEntry]], host: Host) -> RolledBack:
    """Undo several applies, the last one first, in one go: nothing in between is served."""
    host.recorder, host.guard = None, _guard([journal for journal, _ in steps], host)
    for journal, _ in steps:
        journal.close()
    with uninterrupted():
        undos, pages = _undos_and_pages([journal for journal, _ in steps])
        notes, problems = _undo_all(pages.without_their_files(undos), host)
        if problems:
            raise _rollback_incomplete(steps[0][0], problems)
        try:
            pages.record(host)
            for journal, entry in steps:
                _record_rollback(journal, host, entry)
        except (ReconcileError, OSError) as error:
            raise _rollback_not_recorded(error) from error
        if not notes:
            # What cannot be deleted now is deleted with the old journals.
            with suppress(ReconcileError, OSError):
                for journal, _ in steps:
                    journal.discard()
    return RolledBack(notes, tuple(pages.notes()))


@dataclass(frozen=True)
class RolledBack:
    """What a rollback left on purpose, and what still is as the applies left it."""

    notes: tuple[str, ...] = ()
    """Each thing that another program changed since."""
    kept: tuple[str, ...] = ()
    """What pages that visitors have open still need."""
    remaining: tuple[tuple[str, str], ...] = ()
    """The name of a thing, and what of the applies it still shows."""


NOTHING_UNDONE = RolledBack()


def rollback_applies(
    host: Host, applies: Sequence[HistoryRow], by: Actor, on_event: EventHandler
) -> RolledBack:
    """Undo `applies`, the last one first, and compare; the caller holds the lock.

    Errors: ReconcileError if one cannot be undone, RollbackFailed.
    """
    with uninterrupted():
        return _rollback_applies(host, applies, by, on_event)


def _rollback_applies(
    host: Host, applies: Sequence[HistoryRow], by: Actor, on_event: EventHandler
) -> RolledBack:
    known = journals_by_number(host.state)
    # Read now: a journal is gone once everything in it is undone.
    undos, pages = _undos_and_pages([known[row.number] for row in applies])
    _refuse_impossible(undos, host)
    steps = [(known[row.number], _reversing_entry(row.entry, by)) for row in applies]
    for (journal, entry), row in zip(steps, applies, strict=True):
        # The last one first: if this is killed, the next command undoes what was reopened.
        journal.reopen(entry)
        on_event(Event("rollback", message=f"rolling back the apply of {row.entry.at}"))
    done = _roll_back_all(steps, host)
    remaining = tuple(_remaining(pages.without_their_files(undos), host))
    return replace(done, remaining=remaining)


def _refuse_impossible(undos: Sequence[Undo], host: Host) -> None:
    for undo in undos:
        if why := undo.refusal(host):
            raise ReconcileError(
                "This can no longer be rolled back.",
                why,
                "Apply the configuration of that time instead. Nothing was changed.",
            )


def _remaining(undos: Sequence[Undo], host: Host) -> Iterator[tuple[str, str]]:
    """What still is as `undos`, in their order, were to undo."""
    first: dict[tuple[str, str], Undo] = {}
    for undo in undos:
        # What is done to a new file after it was made says nothing about how it was before.
        first.setdefault(("" if undo.folder else undo.op, undo.affects), undo)
    links = [name for name in dict.fromkeys(undo.affects for undo in undos) if _is_link(name, host)]
    for undo in first.values():
        if any(undo.affects.startswith(f"{link}/") for link in links):
            # A directory was there, and is a link again: what was in it went with it.
            continue
        try:
            left = undo.remains(host)
        except (ReconcileError, OSError) as error:
            left = in_one_line(error)
        if left:
            yield undo.affects, left


def _is_link(name: str, host: Host) -> bool:
    try:
        found = host.files.stat(name) if name.startswith("/") else None
    except (ReconcileError, OSError):
        return False
    return found is not None and found.kind == "symlink"


def _reversing_entry(entry: HistoryEntry, by: Actor) -> HistoryEntry:
    changes = reversed_changes(entry)
    return HistoryEntry(now(), by, "rolled_back", changes, entry.config, entry.fingerprint)


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
    for undo in undo_order(undos):
        try:
            notes.append(undo.undo(host))
        except (ReconcileError, OSError) as error:
            problems.append(in_one_line(error))
    try:
        with explained("the rollback cannot be flushed to disk"):
            flush((undo.folder for undo in undos if undo.folder), skips_links=True)
    except ReconcileError as error:
        problems.append(in_one_line(error))
    return tuple(dict.fromkeys(filter(None, notes))), tuple(problems)


def _undos_and_pages(journals: Sequence[Journal]) -> tuple[list[Undo], OpenPages]:
    """What these applies did, in its order, and what of it stays; given the last one first."""
    applies = [journal.undos() for journal in reversed(journals)]
    before = _ledger_before(journals[-1]).all_rows
    copies = {ref.name for ref in before if ref.kind == "assets"}
    return [undo for undos in applies for undo in undos], OpenPages(applies, copies)


def _guard(steps: Sequence[Journal], host: Host) -> PlaceGuard:
    """What was protected before the applies, or is so now."""
    rows = [_ledger_before(journal).all_rows for journal in steps]
    return PlaceGuard(protected_on(host, {ref: row for one in rows for ref, row in one.items()}))


def _ledger_before(journal: Journal) -> Ledger:
    status = journal.status
    return decode(status.before.encode()) if status else Ledger()


def _record_rollback(journal: Journal, host: Host, entry: HistoryEntry) -> None:
    ledger = read_owned(host)
    restored = _restored(ledger, _ledger_before(journal), host)
    after, row = next_records(restored, restored.rows, entry)
    journal.commit(row, after)
    journal.finalize()
    # What cannot be dropped there stays protected, which loses nothing.
    with suppress(ReconcileError):
        kept = restored.all_rows
        write_record(host, kept, [ref for ref in ledger.all_rows if ref not in kept])


def _restored(now: Ledger, before: Ledger, host: Host) -> Ledger:
    """The ledger `now` with the rows of every scope as they were `before`."""
    scopes: dict[str, ScopeRows] = {}
    for name in {*now.scopes, *before.scopes}:
        then = before.scopes.get(name, ScopeRows())
        kept = _still_protected(now.scopes.get(name, ScopeRows()).rows, host)
        scopes[name] = ScopeRows(dict(sorted({**kept, **then.rows}.items())), then.file)
    own = scopes.pop(now.scope)
    return replace(now, rows=own.rows, file=own.file, others=scopes)


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
