"""Whether the history is whole: its rows bind each other, the ledger and the journals its end."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from reconcile.engine.history import HistoryRow, problems, rows
from reconcile.engine.journal import journals
from reconcile.engine.ledger import Ledger

if TYPE_CHECKING:
    from reconcile.filesystem.state_dir import StateDir


def audit(state: StateDir, ledger: Ledger) -> tuple[tuple[HistoryRow, ...], tuple[str, ...]]:
    """The rows that can be read, and what shows that others were edited, cut off or lost."""
    found = tuple(rows(state))
    readable = tuple(row for row in found if not isinstance(row, str))
    return readable, (*problems(found, ledger), *_missing(readable, state))


def _missing(found: Sequence[HistoryRow], state: StateDir) -> Iterator[str]:
    """Where the ledger is lost as well, the journals still know how the history ended."""
    known = {row.number: row.digest for row in found}
    for journal in journals(state):
        status = journal.status
        if status is None or status.row is None or status.phase != "ended":
            continue
        if known.get(status.row.number) != status.row.digest:
            yield f"row {status.row.number} is not the one that the journal of its apply has"
