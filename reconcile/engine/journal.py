"""The write-ahead log of an apply: every effect is recorded before it happens.

A journal is open while its effects may have to be rolled back, decided once the new
ledger and history row are fixed, and ended when both are written.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Literal

from reconcile.dataclass import dataclass
from reconcile.engine import history
from reconcile.engine.digest import canonical
from reconcile.engine.ledger_store import write_records
from reconcile.errors import ReconcileError
from reconcile.filesystem.undo import Undo, from_json, to_json

if TYPE_CHECKING:
    from reconcile.filesystem.state_dir import DurableLog, StateDir

FOLDER = "journal"
RESERVE_BYTES = 64 << 10
Phase = Literal["open", "decided", "ended"]


@dataclass(frozen=True)
class JournalStatus:
    """The progress of a journal.

    `before` is the text of the ledger before the apply, `entry` what was begun; `row` and
    `after` are the history row and the ledger text that were committed.
    """

    phase: Phase
    before: str
    entry: history.HistoryEntry
    row: history.HistoryRow | None = None
    after: str = ""


class Journal:
    """The journal of one apply; the host's `Recorder` while the apply runs."""

    def __init__(self, state: StateDir, name: str) -> None:
        self._state = state
        self._log: DurableLog | None = None
        self.id = name
        self.folder = f"{FOLDER}/{name}"

    @classmethod
    def begin(cls, state: StateDir, before: bytes, entry: history.HistoryEntry) -> Journal:
        """A new journal, on disk, with space reserved for recording the outcome."""
        numbers = [int(name) for name in state.list_names(FOLDER) if name.isdecimal()]
        journal = cls(state, f"{max(numbers, default=0) + 1:08d}")
        state.make_directory(f"{journal.folder}/keep")
        # Freed before the outcome is written, so that a full disk cannot prevent that.
        state.write(f"{journal.folder}/reserve", bytes(RESERVE_BYTES + 3 * len(before)))
        journal._write_status(JournalStatus("open", before.decode(), entry))
        return journal

    @property
    def keep_dir(self) -> str:
        """The directory for files that an undo needs."""
        return self._state.path_of(f"{self.folder}/keep")

    @property
    def status(self) -> JournalStatus | None:
        """None if it was interrupted before it began: then nothing has happened."""
        data = self._state.read(f"{self.folder}/status.json")
        return None if data is None else _decode_status(data, self.folder)

    @property
    def is_ended(self) -> bool:
        """Whether nothing is left to do; cheaper than its whole status."""
        # No text within the JSON holds these bytes: its quotes are escaped.
        return b'"phase":"ended"' in (self._state.read(f"{self.folder}/status.json") or b"")

    def record_undo(self, *undos: Undo) -> None:
        """Append `undos`; they are on disk, after one flush for all, when this returns."""
        if self._log is None:
            self._log = self._state.log(f"{self.folder}/undo.jsonl")
        self._log.append("".join(canonical(to_json(undo)) + "\n" for undo in undos).encode())

    def undos(self) -> tuple[Undo, ...]:
        """All undos that were recorded, in order, each of a batch for itself.

        A last line without its end was cut off by a crash, so its effect never began.
        Errors: ReconcileError for any other damaged line.
        """
        data = self._state.read(f"{self.folder}/undo.jsonl") or b""
        try:
            found = (from_json(json.loads(line)) for line in data.split(b"\n")[:-1])
            return tuple(part for undo in found for part in undo.parts())
        except (ValueError, KeyError, TypeError) as error:
            raise _damaged(self.folder, str(error)) from None

    def commit(self, row: history.HistoryRow, after: bytes) -> None:
        """Fix the outcome: after this even a kill does not change it."""
        self._state.remove(f"{self.folder}/reserve")
        self._write_status(replace(self._begun(), phase="decided", row=row, after=after.decode()))

    def finalize(self) -> None:
        """Write the ledger and the history row that were committed."""
        status = self._begun()
        if status.row is None:
            raise _damaged(self.folder, "nothing was committed")
        write_records(self._state, status.after.encode(), status.row)
        self.close()
        self._write_status(replace(status, phase="ended"))

    def reopen(self, entry: history.HistoryEntry) -> None:
        """Mark an ended apply for rollback: by this command or, if it is killed, by the next."""
        self._write_status(replace(self._begun(), phase="open", entry=entry))

    def discard(self) -> None:
        """Delete the journal and the backups that only its undos need."""
        for undo in self.undos():
            undo.discard_backup()
        self._state.remove(self.folder)

    def close(self) -> None:
        """Close the file of undos."""
        if self._log is not None:
            self._log.close()
            self._log = None

    def _begun(self) -> JournalStatus:
        status = self.status
        if status is None:
            raise _damaged(self.folder, "it has no status")
        return status

    def _write_status(self, status: JournalStatus) -> None:
        body = asdict(status) | {"row": status.row and status.row.body}
        self._state.write(f"{self.folder}/status.json", canonical(body).encode())


def journals(state: StateDir) -> Iterator[Journal]:
    """Every journal, newest first."""
    for name in reversed(state.list_names(FOLDER)):
        yield Journal(state, name)


def _decode_status(data: bytes, folder: str) -> JournalStatus:
    try:
        body = json.loads(data)
        row = body["row"]
        return JournalStatus(
            body["phase"],
            body["before"],
            history.entry_of(body["entry"]),
            history.row_of(row) if row else None,
            body["after"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(folder, str(error)) from None


def _damaged(folder: str, why: str) -> ReconcileError:
    return ReconcileError(
        f"The journal {folder} is damaged.",
        why,
        "It records how to roll back an interrupted apply. Restore by hand what it names, then"
        " move it out of the state directory. Nothing was changed.",
    )
