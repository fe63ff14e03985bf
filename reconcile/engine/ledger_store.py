"""Reading and writing the ledger and the history in the state directory."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from reconcile.engine import history
from reconcile.engine.apply_texts import FOLDER as TEXTS
from reconcile.engine.ledger import BEGINNING, Ledger, Rows, decode, encode
from reconcile.wording import utc_text

if TYPE_CHECKING:
    from reconcile.filesystem.state_dir import StateDir

LEDGER = "ledger.json"


def read_ledger(state: StateDir) -> Ledger:
    """The ledger; an empty one if it is lost, which loses only removals and causes.

    Errors: LedgerUnusable.
    """
    data = state.read(LEDGER)
    if data is not None:
        return decode(data)
    row = history.last_row(state)
    return Ledger({}, row.number, row.digest) if row else Ledger({}, 0, BEGINNING)


def write_records(state: StateDir, ledger: bytes, row: history.HistoryRow) -> None:
    """Write both, the history first: a ledger never names a row that does not exist."""
    history.write(state, row)
    state.write(LEDGER, ledger)


def next_records(
    ledger: Ledger, rows: Rows, entry: history.HistoryEntry
) -> tuple[bytes, history.HistoryRow]:
    """The ledger file and the history row once `entry` has happened and `rows` are owned."""
    row = history.following(ledger, entry)
    return encode(ledger.next(rows, row.digest)), row


def now() -> str:
    """The present second in UTC, as ISO 8601."""
    return utc_text(datetime.now(UTC))


def sweep_records(state: StateDir) -> None:
    """Remove temporary files of writes that were killed; the caller holds the lock."""
    state.remove_temporaries("", LEDGER)
    state.remove_temporaries(history.FOLDER)
    state.remove_temporaries(TEXTS)
