"""Killing a process of ours right before any one of its effects."""

from __future__ import annotations

import os
import shutil
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.faults.dying import live_until
from tests.support.tally import TALLY


def killed_at(number: int, act: Callable[[], object]) -> bool:
    """Run `act` in a child that is killed before its effect of that number; False if none is."""

    def life() -> None:
        live_until(number)
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
