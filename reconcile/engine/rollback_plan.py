"""What a rollback will undo: which applies, and what becomes of each resource."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from reconcile.dataclass import dataclass
from reconcile.engine.history import (
    HistoryChange,
    HistoryEntry,
    HistoryRow,
    applies_in_force,
    reversed_changes,
)
from reconcile.engine.journal import Journal, journals
from reconcile.engine.ledger import Rows
from reconcile.engine.model import Action
from reconcile.engine.resource import Ref
from reconcile.errors import ReconcileError
from reconcile.filesystem.path import is_inside

if TYPE_CHECKING:
    from reconcile.filesystem.state_dir import StateDir
    from reconcile.filesystem.undo import Undo

_IN_FORCE = ("applied", "failed")
_WITH_CONTENTS = ("tree", "assets")
"""Kinds whose effects are below the path of their name."""


@dataclass(frozen=True)
class RollbackPlan:
    """The applies to undo, the last one first, and the unfinished ones before them."""

    applies: tuple[HistoryRow, ...] = ()
    unfinished: tuple[HistoryEntry, ...] = ()
    warnings: tuple[str, ...] = ()
    """What is not undone with them, such as the effects of a release's steps."""

    @property
    def entries(self) -> tuple[HistoryEntry, ...]:
        """The entries of all of them, the last one first."""
        return (*self.unfinished, *(row.entry for row in self.applies))

    @property
    def effects(self) -> tuple[tuple[str, Action], ...]:
        """Each address with what happens to it, in the order of undoing."""
        first: dict[str, str] = {}
        last: dict[str, str] = {}
        for entry in self.entries:
            for address, action, _ in reversed(entry.changes):
                last.setdefault(address, action)
                first[address] = action
        found = ((address, _effect(first[address], last[address])) for address in last)
        return tuple((address, effect) for address, effect in found if effect)

    def removed_sites(self, rows: Rows) -> tuple[str, ...]:
        """The sites of which every file that the ledger has goes."""
        gone = {address for address, effect in self.effects if effect == "delete"}
        files: dict[str, set[str]] = {}
        for ref, row in rows.items():
            for site in row.sites if ref.kind in ("file", "symlink") else ():
                files.setdefault(site, set()).add(str(ref))
        return tuple(sorted(site for site, addresses in files.items() if addresses <= gone))

    def refuse_guarded(self, rows: Rows) -> None:
        """Refuse to remove what belongs to an entry with `prevent_destroy`. Errors: ReconcileError.

        What an interrupted apply has left is undone all the same.
        """
        gone = {address for address, effect in self.effects if effect == "delete"}
        guarded = {str(ref): row.guards for ref, row in rows.items() if row.guards}
        for address in sorted(gone & guarded.keys()) if self.applies else ():
            raise ReconcileError(
                f"{guarded[address][0]} must not be removed: it was applied with"
                " `prevent_destroy`.",
                f"the rollback removes {address}",
                "Apply it once with `prevent_destroy: false`, then roll back to the number before"
                " (see `reconcile history`). Nothing was changed.",
            )


def plan_rollback(state: StateDir, to: int | None = None) -> RollbackPlan:
    """What a rollback to the state that row `to` of the history left would undo; reads only.

    Without `to` it is what is unfinished, otherwise the last apply; 0 is the beginning.
    Errors: ReconcileError where there is nothing to undo, or it can no longer be undone.
    """
    left = [journal for journal in journals(state) if not journal.is_ended]
    unfinished = tuple(entry for journal in left for entry in _undone_of(journal))
    if to is None and unfinished:
        return RollbackPlan((), unfinished, _warnings(left))
    in_force = (*_unrecorded(left), *applies_in_force(state))
    applies = in_force[:1] if to is None else tuple(row for row in in_force if row.number > to)
    if to is not None:
        _refuse_undone(state, to, in_force[len(applies) :])
    if not applies and not unfinished:
        raise _nothing_to_undo(to)
    undoable = journals_by_number(state)
    for row in applies:
        if row.number not in undoable:
            raise _expired(row, in_force[0])
    undone = (*left, *(undoable[row.number] for row in applies))
    return RollbackPlan(applies, unfinished, _warnings(undone))


def _warnings(undone: Sequence[Journal]) -> tuple[str, ...]:
    found = (undo.warning() for journal in undone for undo in journal.undos())
    return tuple(dict.fromkeys(filter(None, found)))


def _unrecorded(left: Sequence[Journal]) -> Iterator[HistoryRow]:
    """The rows of applies that succeeded, and that the next command records."""
    for journal in left:
        row = journal.status.row if journal.status else None
        if row is not None and row.entry.result in _IN_FORCE:
            yield row


def _undone_of(journal: Journal) -> Iterator[HistoryEntry]:
    """What of an unfinished apply has begun; none of one that only has to be recorded."""
    status = journal.status
    if status is None or status.phase == "decided":
        return
    if status.entry.undoes_another:
        # It goes on with what it began: undoing what the apply did.
        yield replace(status.entry, changes=reversed_changes(status.entry))
    else:
        changes = begun_changes(status.entry.changes, journal.undos())
        yield replace(status.entry, changes=changes)


def begun_changes(
    planned: Sequence[HistoryChange], undos: Sequence[Undo]
) -> tuple[HistoryChange, ...]:
    """Those of an apply's changes, made one after the other, up to the last that had an effect."""
    refs = [Ref.parse(address) for address, _, _ in planned]
    positions = (_position_of(undo.affects, refs) for undo in undos)
    return tuple(planned[: max(positions, default=-1) + 1])


def _position_of(name: str, refs: Sequence[Ref]) -> int:
    """The change that an effect on `name` belongs to; -1 for none, as for our own records."""
    own = [index for index, ref in enumerate(refs) if name == ref.name]
    if own:
        return own[0]
    around = [
        index
        for index, ref in enumerate(refs)
        if ref.kind in _WITH_CONTENTS and is_inside(name, ref.name)
    ]
    return max(around, key=lambda index: len(refs[index].name), default=-1)


def journals_by_number(state: StateDir) -> dict[int, Journal]:
    """The journals that can be undone, by the number of their row in the history."""
    found = ((journal, journal.status) for journal in journals(state))
    return {
        status.row.number: journal
        for journal, status in found
        if status and status.row and status.row.entry.result in _IN_FORCE
    }


def _effect(first: str, last: str) -> Action | None:
    """What undoing changes that began with `first` and ended with `last` does."""
    existed, exists = first != "create", last != "delete"
    if existed and exists:
        return "update"
    return "create" if existed else "delete" if exists else None


def _refuse_undone(state: StateDir, to: int, left: Sequence[HistoryRow]) -> None:
    """Refuse a row whose state is not that of the applies that would be left."""
    then = next(applies_in_force(state, to), None)
    if then and then.number not in {row.number for row in left}:
        raise ReconcileError(
            f"The state that #{to} left is gone.",
            f"apply #{then.number} was rolled back since",
            "Apply its configuration again, or choose another number of `reconcile history`."
            " Nothing was changed.",
        )


def _nothing_to_undo(to: int | None) -> ReconcileError:
    if to is not None:
        return ReconcileError(
            f"No apply after #{to} can be rolled back.",
            "None was made since, or it was already rolled back.",
            "Run `reconcile history` to see what was applied. Nothing was changed.",
        )
    return ReconcileError(
        "No apply can be rolled back.",
        "None was made here, the last one was already rolled back, or its journal is missing.",
        "Run `reconcile history` to see what was applied. Nothing was changed.",
    )


def _expired(row: HistoryRow, last: HistoryRow) -> ReconcileError:
    if row == last:
        return _nothing_to_undo(None)
    return ReconcileError(
        f"Apply #{row.number} can no longer be rolled back.",
        "its journal was removed: only those of the last applies are kept",
        "Choose a later number of `reconcile history`, or apply the configuration of that time."
        " Nothing was changed.",
    )
