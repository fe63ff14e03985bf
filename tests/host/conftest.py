"""A host whose state lies in a folder of the test's own, and a recorder in memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from reconcile.host import Host, HostSettings
from reconcile.host.undo import Undo, from_json, to_json, undo


@dataclass
class MemoryRecorder:
    """Records as a journal does: through JSON, in order."""

    keep_dir: str
    id: str = "7-test"
    records: list[dict[str, object]] = field(default_factory=list)

    def intend(self, *undos: Undo) -> None:
        self.records.extend(to_json(one) for one in undos)

    def take_back(self, host: Host) -> list[str]:
        """Undo everything in reverse; the notes on what was left."""
        notes = [undo(from_json(record), host) for record in reversed(self.records)]
        return [note for note in notes if note]

    def forget(self, host: Host) -> None:
        for record in self.records:
            from_json(record).forget(host)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(HostSettings(service_manager="process", state_dir=str(tmp_path / "state")))


@pytest.fixture
def recorder(host: Host) -> MemoryRecorder:
    """A recorder at work on `host`."""
    found = MemoryRecorder(host.state.make("journal/7-test/keep"))
    host.recorder = found
    return found
