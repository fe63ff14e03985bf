"""Killing a process at every one of its changes of the disk."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconcile.filesystem.undo import Undo, from_json, to_json
from reconcile.system import Host

CHANGES = (
    "open",
    "write",
    "mkdir",
    "rmdir",
    "rename",
    "link",
    "symlink",
    "unlink",
    "chown",
    "chmod",
    "fchown",
    "fchmod",
    "setxattr",
    "fsync",
)


@dataclass
class Journal:
    """A recorder whose lines outlive its process."""

    log: Path
    host: Host
    id: str = "7-test"

    @property
    def keep_dir(self) -> str:
        return self.host.state.path_of("journal/7-test/keep")

    def record_undo(self, *undos: Undo) -> None:
        text = "".join(json.dumps(to_json(one)) + "\n" for one in undos)
        with self.log.open("a") as file:
            file.write(text)

    def take_back(self, host: Host) -> None:
        host.recorder = None
        lines = self.log.read_text().splitlines()
        for line in reversed(lines):
            from_json(json.loads(line)).undo(host)


def recorded_in(log: Path, host: Host) -> Host:
    host.recorder = Journal(log, host)
    return host


def dies_at(step: int, act: Callable[[], None]) -> bool:
    """Run `act` in a child that is killed just before its `step`th change of the disk.

    False where `act` needed fewer, and so came to its end.
    """
    child = os.fork()
    if child == 0:
        _killed_at(step)
        status = 1
        try:
            act()
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert signal.SIGKILL == os.WTERMSIG(status)
        return True
    assert 0 == os.WEXITSTATUS(status)
    return False


def _killed_at(step: int) -> None:
    left = step

    def counted(change: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return change(*arguments, **named)

        return counting

    for name in CHANGES:
        setattr(os, name, counted(getattr(os, name)))
