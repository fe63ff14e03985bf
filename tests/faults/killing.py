"""Killing a process of ours right before any one of its effects."""

from __future__ import annotations

import os
import shutil
import signal
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.support.tally import TALLY

EFFECTS = (
    "open",
    "write",
    "pwrite",
    "ftruncate",
    "rename",
    "link",
    "symlink",
    "unlink",
    "rmdir",
    "mkdir",
    "chmod",
    "fchmod",
    "chown",
    "fchown",
    "setxattr",
    "removexattr",
)
"""What changes a filesystem, as whoever comes after a kill sees it; flushing does not."""


def killed_at(number: int, act: Callable[[], object]) -> bool:
    """Run `act` in a child that is killed before its effect of that number; False if none is."""

    def life() -> None:
        _live_until(number)
        act()

    _, status = os.waitpid(forked(life), 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, "the child failed by itself"
    return os.WIFSIGNALED(status)


def forked(life: Callable[[], object]) -> int:
    """The pid of a child that does `life` and ends, whatever becomes of it.

    An exception that left it would go on in the child, with the rest of the tests.
    """
    child = os.fork()
    if child == 0:
        try:
            life()
            os._exit(0)
        finally:
            traceback.print_exc()
            os._exit(1)
    return child


def _live_until(number: int) -> None:
    left = number

    def watched(name: str, effect: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            nonlocal left
            if name == "open" and not args[1] & os.O_CREAT:
                return effect(*args, **named)
            left -= 1
            if left < 0:
                _die(name, effect, args)
            return effect(*args, **named)

        return call

    for name in EFFECTS:
        setattr(os, name, watched(name, getattr(os, name)))


def _die(name: str, effect: Callable[..., Any], args: tuple[Any, ...]) -> None:
    if name == "write":
        # The worst moment: half of a line of the journal is on the disk.
        effect(args[0], bytes(args[1])[: len(args[1]) // 2])
    os.kill(os.getpid(), signal.SIGKILL)


class Replay:
    """A folder that is brought back to what it was, as often as wanted."""

    def __init__(self, folder: Path, copy: Path) -> None:
        self.folder, self.copy = folder, copy
        shutil.copytree(folder, copy, symlinks=True)

    def restore(self) -> None:
        shutil.rmtree(self.folder)
        shutil.copytree(self.copy, self.folder, symlinks=True)

    def kills(self, act: Callable[[], object], *, first: int = 0, step: int = 1) -> Iterator[int]:
        """Have `act` killed at every `step`-th effect, each time from the same beginning."""
        number = first
        while True:
            self.restore()
            if not killed_at(number, act):
                return
            TALLY["kills at an effect"] += 1
            yield number
            number += step
