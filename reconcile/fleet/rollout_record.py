"""A folder of saved plans, one a host, and the record of the rollout that carries them out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from posixpath import join
from typing import Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, ValidationError

from reconcile.engine.ledger_store import now
from reconcile.errors import LockHeld, ReconcileError, StalePlan
from reconcile.filesystem.flock import try_flock
from reconcile.filesystem.host_error import explained
from reconcile.filesystem.user_files import read_user_file, write_user_file
from reconcile.fleet.answer import HostAnswer, State
from reconcile.fleet.saved_document import without_texts

INDEX, RECORD = "fleet.json", "record.jsonl"
LARGEST_BYTES = 64 << 20


class HostPlanRecord(BaseModel):
    """How one host was planned."""

    model_config = ConfigDict(extra="forbid", strict=True)

    state: State
    exit_code: int | None
    config: str
    """The digest of its configuration with all files; "" where it has no plan."""
    problem: str = ""


class Index(BaseModel):
    """What was planned, without any content of a configuration."""

    model_config = ConfigDict(extra="forbid", strict=True)

    what: Literal["reconcile fleet plans"] = "reconcile fleet plans"
    format: Literal[1] = 1
    made_at: str
    fleet: str
    """The path of fleet.yaml."""
    fleet_digest: str
    hosts: dict[str, HostPlanRecord]


class Entry(BaseModel):
    """One line of the record."""

    model_config = ConfigDict(extra="forbid", strict=True)

    at: str
    host: str
    event: Literal["started", "finished"]
    state: State | None = None
    exit_code: int | None = None
    problem: str = ""
    elapsed_s: float = 0.0


class SavedPlans:
    """The folder at a path."""

    def __init__(self, path: str) -> None:
        self.path = path

    def create(self) -> None:
        """Make the folder. Errors: ReconcileError where there is something already."""
        with explained(f"{self.path} cannot be created"):
            if os.path.isdir(self.path) and not os.listdir(self.path):
                os.chmod(self.path, 0o700)
            elif os.path.lexists(self.path):
                raise ReconcileError(
                    f"{self.path} already exists", "", "Name a new folder. No host was contacted."
                )
            else:
                os.makedirs(self.path, 0o700)
            os.mkdir(join(self.path, "plans"), 0o700)

    def save(self, name: str, answer: HostAnswer) -> None:
        """Save the plan of a host, and its document without the texts."""
        self._write(_plan_file(name), answer.saved_plan)
        document = without_texts(answer.document or {})
        self._write(_document_file(name), json.dumps(document).encode())

    def save_index(self, index: Index) -> None:
        """Save what was planned: from then on the folder can be applied."""
        self._write(INDEX, index.model_dump_json(indent=1).encode())

    def read_index(self) -> Index:
        """What was planned. Errors: StalePlan where it is no such folder."""
        if not os.path.exists(join(self.path, INDEX)):
            raise StalePlan(
                f"{self.path} holds no plans of a fleet",
                f"there is no {INDEX} in it",
                f"Plan first: reconcile fleet plan --out {self.path}. No host was contacted.",
            )
        data = read_user_file(join(self.path, INDEX), LARGEST_BYTES)
        try:
            return Index.model_validate_json(data)
        except ValidationError:
            raise StalePlan(
                f"{self.path} holds no plans of a fleet",
                f"{INDEX} in it is damaged, or of another version",
                "Plan again with `reconcile fleet plan --out DIR`. No host was contacted.",
            ) from None

    def read_plan(self, name: str) -> bytes:
        """The saved plan of a host. Errors: HostError."""
        return read_user_file(join(self.path, _plan_file(name)), LARGEST_BYTES)

    def read_document(self, name: str) -> Mapping[str, Any] | None:
        """The JSON of its plan. Errors: HostError."""
        data = read_user_file(join(self.path, _document_file(name)), LARGEST_BYTES)
        document: Mapping[str, Any] | None = json.loads(data)
        return document

    @contextmanager
    def record(self) -> Iterator[Record]:
        """The record, for one controller at a time. Errors: LockHeld."""
        path = join(self.path, RECORD)
        with explained(f"{path} cannot be opened"):
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "r+b") as file:
            if not try_flock(fd):
                raise LockHeld(f"Another command applies {self.path}", "", "Wait for it to end.")
            yield Record(fd, file.read())

    def _write(self, name: str, data: bytes) -> None:
        write_user_file(join(self.path, name), data, mode=0o600, replaceable=lambda _old: True)


class Record:
    """Which hosts were started, and how they ended; on the disk before anything goes on."""

    def __init__(self, fd: int, data: bytes) -> None:
        self._fd = fd
        self.finished: dict[str, HostAnswer] = {}
        self.started: set[str] = set()
        for line in data.splitlines():
            self._replay(line)
        if data and not data.endswith(b"\n"):
            os.write(fd, b"\n")

    def start(self, host: str) -> None:
        """Record that a host is asked to apply."""
        self._append(Entry(at=now(), host=host, event="started"))

    def finish(self, host: str, answer: HostAnswer) -> None:
        """Record how it ended."""
        self._append(
            Entry(
                at=now(),
                host=host,
                event="finished",
                state=answer.state,
                exit_code=answer.exit_code,
                problem=answer.problem,
                elapsed_s=answer.elapsed_s,
            )
        )

    def _append(self, entry: Entry) -> None:
        with explained("the record of the rollout could not be written"):
            os.write(self._fd, entry.model_dump_json().encode() + b"\n")
            os.fsync(self._fd)

    def _replay(self, line: bytes) -> None:
        try:
            entry = Entry.model_validate_json(line)
        except ValidationError:
            # The last line of a controller that was killed while it wrote.
            return
        if entry.state is None:
            self.started.add(entry.host)
            self.finished.pop(entry.host, None)
        else:
            self.finished[entry.host] = HostAnswer(
                entry.state, entry.exit_code, problem=entry.problem, elapsed_s=entry.elapsed_s
            )


def file_digest(path: str) -> str:
    """The digest of fleet.yaml. Errors: HostError."""
    return f"sha256:{sha256(read_user_file(path, LARGEST_BYTES)).hexdigest()}"


def _plan_file(name: str) -> str:
    return f"plans/{quote(name, safe='@')}.plan"


def _document_file(name: str) -> str:
    return f"plans/{quote(name, safe='@')}.json"
