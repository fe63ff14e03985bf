"""How signals end an apply."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Handler = Callable[[int, FrameType | None], object]


class Interrupted(BaseException):
    """SIGINT, SIGTERM or SIGHUP; a BaseException, so that no handler takes it for a failure."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(number)


def _ignore(_number: int, _frame: FrameType | None) -> None:
    """Not SIG_IGN: a service started meanwhile would inherit it and could not be stopped."""


@contextmanager
def interruptible() -> Iterator[None]:
    """A signal raises Interrupted in the body."""
    with _handling(_interrupt):
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Signals do not interrupt the body."""
    with _handling(_ignore):
        yield


@contextmanager
def _handling(handler: Handler) -> Iterator[None]:
    # Python lets only the main thread set handlers; a caller in another one handles signals.
    if current_thread() is not main_thread():
        yield
        return
    # nohup ignores SIGHUP on purpose.
    handled = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in handled}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
