"""Who applied what, when, with which result: each row holds the digest of the one before."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

from reconcile.dataclass import dataclass
from reconcile.engine.digest import canonical, digest
from reconcile.engine.ledger import Ledger

if TYPE_CHECKING:
    from reconcile.filesystem.state_dir import StateDir

FOLDER = "history"
INTERRUPTED = "The apply was interrupted"
"""What the error of an apply that a signal ended begins with."""


@dataclass(frozen=True)
class Actor:
    """Who ran a command, and which.

    `commit` is that of the YAML, `plan` the id of the saved plan, if any.
    """

    user: str = ""
    command: str = ""
    commit: str | None = None
    plan: str | None = None


HistoryChange = tuple[str, str, str]
"""Address, action and cause of a change."""


@dataclass(frozen=True)
class HistoryEntry:
    """One apply. `changes` are (address, action, cause) of what was done; `at` is in UTC."""

    at: str
    by: Actor
    result: str
    changes: tuple[HistoryChange, ...] = ()
    config: str = ""
    fingerprint: str = ""
    error: str = ""
    duration_s: float = 0.0

    @property
    def undoes_another(self) -> bool:
        """Whether it is a rollback of an earlier apply, not an apply that failed itself."""
        return self.result == "rolled_back" and not self.error


def reversed_changes(entry: HistoryEntry) -> tuple[HistoryChange, ...]:
    """What undoing the changes of `entry` does, the last one first."""
    opposite = {"create": "delete", "delete": "create"}
    return tuple(
        (address, opposite.get(action, action), cause)
        for address, action, cause in reversed(entry.changes)
    )


@dataclass(frozen=True)
class HistoryRow:
    """An entry at its place in the history; `previous` is the digest of the row before."""

    number: int
    previous: str
    entry: HistoryEntry
    _written: ClassVar[Mapping[str, Any] | None] = None

    @property
    def digest(self) -> str:
        """The digest that the next row holds."""
        return digest(self.body)

    @property
    def body(self) -> Mapping[str, Any]:
        """Its JSON object: for a row that was read, the one that its version wrote.

        Otherwise a key that was added since would change the digest of each earlier row.
        """
        return self._written or asdict(self)

    @property
    def file(self) -> str:
        """Its file in the state directory."""
        return f"{FOLDER}/{self.number:08d}.json"


def following(ledger: Ledger, entry: HistoryEntry) -> HistoryRow:
    """The row for `entry`, after the last one that the ledger knows."""
    return HistoryRow(ledger.serial + 1, ledger.head, entry)


def write(state: StateDir, row: HistoryRow) -> None:
    """Write a row to its file; writing the same row again changes nothing."""
    state.write(row.file, encode(row))


def encode(row: HistoryRow) -> bytes:
    """The row as a file."""
    return (canonical(row.body) + "\n").encode()


def decode(data: bytes) -> HistoryRow:
    """The row of a file. Errors: ValueError for any other bytes."""
    try:
        return row_of(json.loads(data))
    except (KeyError, TypeError, RecursionError) as error:
        raise ValueError(f"not a row of the history: {error}") from None


def row_of(body: dict[str, Any]) -> HistoryRow:
    """The row of its JSON object. Errors: KeyError, TypeError, ValueError."""
    row = HistoryRow(body["number"], body["previous"], entry_of(body["entry"]))
    object.__setattr__(row, "_written", body)
    return row


def entry_of(body: dict[str, Any]) -> HistoryEntry:
    """The entry of its JSON object. Errors: KeyError, TypeError, ValueError."""
    changes = tuple((address, action, cause) for address, action, cause in body["changes"])
    return HistoryEntry(**(body | {"by": Actor(**body["by"]), "changes": changes}))


def rows(state: StateDir) -> Iterator[HistoryRow | str]:
    """Every row, the first one first; for a damaged one the name of its file."""
    for name in state.list_names(FOLDER):
        data = state.read(f"{FOLDER}/{name}")
        try:
            yield decode(data or b"")
        except ValueError:
            yield name


def rows_backwards(state: StateDir) -> Iterator[HistoryRow]:
    """Every row that can be read, the last one first."""
    for name in reversed(state.list_names(FOLDER)):
        try:
            yield decode(state.read(f"{FOLDER}/{name}") or b"")
        except ValueError:
            continue


def last_row(state: StateDir) -> HistoryRow | None:
    """The last row that can be read, None if there is none."""
    return next(rows_backwards(state), None)


def applies_in_force(state: StateDir, until: int | None = None) -> Iterator[HistoryRow]:
    """The applies that changed the host and were not rolled back, the last one first.

    With `until` as it was after that row.
    """
    undone = 0
    for row in rows_backwards(state):
        if until is not None and row.number > until:
            continue
        if row.entry.undoes_another:
            undone += 1
        elif row.entry.result in ("applied", "failed"):
            if undone == 0:
                yield row
            undone = max(undone - 1, 0)


def current_number(state: StateDir) -> int:
    """The number of the last apply in force, 0 for none."""
    return next((row.number for row in applies_in_force(state)), 0)
