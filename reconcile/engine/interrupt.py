"""What happens to an apply when somebody wants it to stop."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
Handler = Callable[[int, FrameType | None], object]


class Interrupted(BaseException):
    """SIGINT, SIGTERM or SIGHUP; no Exception, so nobody takes it for a failure to handle."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(number)


def _let_pass(_number: int, _frame: FrameType | None) -> None:
    """Not SIG_IGN: a service that we start would inherit it and could not be stopped."""


@contextmanager
def interruptible() -> Iterator[None]:
    """A signal ends the body with Interrupted."""
    with _handling(_interrupt):
        yield


@contextmanager
def uninterrupted() -> Iterator[None]:
    """The body runs to its end, signals or not."""
    with _handling(_let_pass):
        yield


@contextmanager
def _handling(handler: Handler) -> Iterator[None]:
    # Python lets no other thread set handlers; whoever runs an apply in one handles signals.
    if current_thread() is not main_thread():
        yield
        return
    # nohup has SIGHUP ignored, and means it.
    heard = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in heard}
    try:
        yield
    finally:
        for number, old in before.items():
            signal.signal(number, old)
