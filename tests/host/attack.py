"""A process of the web user that swaps names while root works beside them."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

WEB = 33


@contextmanager
def attacker(act: Callable[[], None]) -> Iterator[None]:
    """`act` over and over, as the web user, in a process of its own."""
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(WEB)
            os.setuid(WEB)
            while True:
                with suppress(OSError):
                    act()
        finally:
            os._exit(1)
    try:
        yield
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
