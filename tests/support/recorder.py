"""A recorder in memory, for what a journal does on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

from reconcile.filesystem.undo import Undo, from_json, to_json
from reconcile.system import Host


@dataclass
class MemoryRecorder:
    """Keeps records as a journal does: as JSON text, in order."""

    keep_dir: str
    id: str = "7-test"
    lines: list[str] = field(default_factory=list)

    @property
    def undos(self) -> list[Undo]:
        found = (from_json(json.loads(line)) for line in self.lines)
        return [part for undo in found for part in undo.parts()]

    def record_undo(self, *undos: Undo) -> None:
        self.lines.extend(json.dumps(to_json(one)) for one in undos)

    def take_back(self, host: Host) -> list[str]:
        """Undo everything in reverse; the notes on what was left."""
        notes = [one.undo(host) for one in reversed(self.undos)]
        return [note for note in notes if note]

    def forget(self, host: Host) -> None:
        for one in self.undos:
            one.discard_backup()


def recording(host: Host) -> MemoryRecorder:
    """A recorder at work on `host`."""
    recorder = MemoryRecorder(host.state.make_directory("journal/7-test/keep"))
    host.recorder = recorder
    return recorder
