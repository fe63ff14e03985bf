"""How signals end an apply."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import current_thread, main_thread
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Interrupted(BaseException):
    """SIGINT, SIGTERM or SIGHUP; a BaseException, so that no handler takes it for a failure."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


class SignalHandler:
    """Remembers a signal, and raises it where that is allowed."""

    def __init__(self) -> None:
        self._number, self._raises = 0, False

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Raise Interrupted, once, or remember the signal."""
        self._number = number
        if self._raises:
            # Whatever is interrupted must not be interrupted again while it ends.
            self._raises = False
            raise Interrupted(number)

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """A signal raises Interrupted in the body, as does one that came before."""
        self._raises = True
        try:
            if self._number:
                raise Interrupted(self._number)
            yield
        finally:
            self._raises = False


@contextmanager
def uninterrupted() -> Iterator[SignalHandler]:
    """Signals do not interrupt the body, unless it allows that."""
    # Not SIG_IGN: a service started meanwhile would inherit it and could not be stopped.
    handler = SignalHandler()
    # Python lets only the main thread set handlers; a caller in another one handles signals.
    if current_thread() is not main_thread():
        yield handler
        return
    # nohup ignores SIGHUP on purpose.
    handled = [number for number in SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, handler) for number in handled}
    try:
        yield handler
    finally:
        for number, old in before.items():
            signal.signal(number, old)
