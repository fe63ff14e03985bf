"""Who applied what, when, with which result: rows that are each bound to the one before."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from reconcile.dataclass import dataclass
from reconcile.engine.digest import canonical, digest
from reconcile.engine.ledger import BEGINNING, Ledger

if TYPE_CHECKING:
    from reconcile.filesystem.state_dir import StateDir

FOLDER = "history"


@dataclass(frozen=True)
class Actor:
    """Who asked for an apply, and how.

    `commit` is that of the YAML, `plan` the id of the saved plan, where there is one.
    """

    user: str = ""
    command: str = ""
    commit: str | None = None
    plan: str | None = None


@dataclass(frozen=True)
class HistoryEntry:
    """One apply. `changes` are (address, action, cause) of what was done; `at` is in UTC."""

    at: str
    by: Actor
    result: str
    changes: tuple[tuple[str, str, str], ...] = ()
    config: str = ""
    fingerprint: str = ""
    error: str = ""
    duration_s: float = 0.0


@dataclass(frozen=True)
class HistoryRow:
    """An entry in its place: `previous` is the digest of the row before."""

    number: int
    previous: str
    entry: HistoryEntry

    @property
    def digest(self) -> str:
        return digest(asdict(self))

    @property
    def file(self) -> str:
        return f"{FOLDER}/{self.number:08d}.json"


def following(ledger: Ledger, entry: HistoryEntry) -> HistoryRow:
    """The row for `entry`, bound to the history that the ledger knows."""
    return HistoryRow(ledger.serial + 1, ledger.head, entry)


def write(state: StateDir, row: HistoryRow) -> None:
    """Put a row into its file; writing the same row again does no harm."""
    state.write(row.file, encode(row))


def encode(row: HistoryRow) -> bytes:
    return (canonical(asdict(row)) + "\n").encode()


def decode(data: bytes) -> HistoryRow:
    """Errors: ValueError for bytes that are not a row."""
    try:
        return row_of(json.loads(data))
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not a row of the history: {error}") from None


def row_of(body: dict[str, Any]) -> HistoryRow:
    return HistoryRow(body["number"], body["previous"], entry_of(body["entry"]))


def entry_of(body: dict[str, Any]) -> HistoryEntry:
    changes = tuple((address, action, cause) for address, action, cause in body["changes"])
    return HistoryEntry(**(body | {"by": Actor(**body["by"]), "changes": changes}))


def rows(state: StateDir) -> Iterator[HistoryRow | str]:
    """Every row from the first on; the name of the file in place of one that is damaged."""
    for name in state.list_names(FOLDER):
        data = state.read(f"{FOLDER}/{name}")
        try:
            yield decode(data or b"")
        except ValueError:
            yield name


def last(state: StateDir) -> HistoryRow | None:
    """The latest row that can be read."""
    names = state.list_names(FOLDER)
    for name in reversed(names):
        try:
            return decode(state.read(f"{FOLDER}/{name}") or b"")
        except ValueError:
            continue
    return None


def problems(found: Sequence[HistoryRow | str], ledger: Ledger) -> tuple[str, ...]:
    """What shows that a history was edited, shortened or lost a row; () for a whole one."""
    return tuple(_problems(found, ledger))


def _problems(found: Sequence[HistoryRow | str], ledger: Ledger) -> Iterator[str]:
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
        yield f"the ledger knows {ledger.serial} rows, and the last one is not row {number}"
