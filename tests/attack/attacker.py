"""A process of the web user that swaps names while root works beside them."""

from __future__ import annotations

import mmap
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

WEB = 33


class Attacks:
    """How often the attacker has succeeded so far; counted in memory that both processes see."""

    def __init__(self) -> None:
        self._shared = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")

    @property
    def count(self) -> int:
        return self._shared[0]

    def add(self) -> None:
        self._shared[0] += 1


@contextmanager
def attacker(act: Callable[[], None], rest_s: float = 0) -> Iterator[Attacks]:
    """`act` over and over, as the web user, in a process of its own.

    It rests up to `rest_s` seconds every other time, so that an operation gets far
    before the ground moves.
    """
    attacks = Attacks()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(WEB)
            os.setuid(WEB)
            while True:
                with suppress(OSError):
                    act()
                    attacks.add()
                if rest_s and random.random() < 0.5:
                    time.sleep(random.random() * rest_s)
        finally:
            os._exit(1)
    try:
        yield attacks
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def swap(real: Path, decoy: Path) -> Callable[[], None]:
    """Turn `real` into what `decoy` is, and back; goes on whatever root does meanwhile."""
    aside, away = real.with_name(f".{real.name}.aside"), real.with_name(f".{real.name}.away")
    os.rename(decoy, away)

    def once() -> None:
        _renamed(real, aside)
        _renamed(away, real)
        _renamed(real, away)
        _renamed(aside, real)

    return once


def _renamed(old: Path, new: Path) -> None:
    """Rename; where a directory is in the way, it goes first."""
    try:
        os.rename(old, new)
    except FileNotFoundError:
        return
    except OSError:
        os.rename(new, new.with_name(f".trash{os.urandom(4).hex()}"))
        os.rename(old, new)
