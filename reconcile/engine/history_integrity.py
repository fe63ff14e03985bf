"""Whether the history is complete: its rows are chained, ledger and journals know its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from reconcile.engine.history import HistoryRow, rows
from reconcile.engine.journal import journals
from reconcile.engine.ledger import BEGINNING, Ledger

if TYPE_CHECKING:
    from reconcile.filesystem.state_dir import StateDir


def check_history(
    state: StateDir, ledger: Ledger
) -> tuple[tuple[HistoryRow, ...], tuple[str, ...]]:
    """The readable rows, and a sentence for each sign that others were edited or lost."""
    found = tuple(rows(state))
    readable = tuple(row for row in found if not isinstance(row, str))
    problems = (*_broken_links(found, ledger), *_unknown_to_journals(readable, state))
    return readable, problems


def _broken_links(found: Sequence[HistoryRow | str], ledger: Ledger) -> Iterator[str]:
    head, number = BEGINNING, 0
    for row in found:
        if isinstance(row, str):
            yield f"{row} cannot be read"
            continue
        if row.number != number + 1:
            yield f"row {number + 1} is missing before row {row.number}"
        elif row.previous != head:
            yield f"row {row.number} does not follow row {number}: one of the two was edited"
        head, number = row.digest, row.number
    if (ledger.serial, ledger.head) != (number, head):
        yield f"the ledger counts {ledger.serial} rows, and the last one is not row {number}"


def _unknown_to_journals(found: Sequence[HistoryRow], state: StateDir) -> Iterator[str]:
    """Where the ledger is lost as well, the journals still know how the history ended."""
    known = {row.number: row.digest for row in found}
    for journal in journals(state):
        status = journal.status
        if status is None or status.row is None or status.phase != "ended":
            continue
        if known.get(status.row.number) != status.row.digest:
            yield f"row {status.row.number} differs from the one in the journal of its apply"
