"""What is seen of a long look at many files: how many there were so far."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic
from typing import TYPE_CHECKING

from reconcile.cli.terminal import shows_progress

if TYPE_CHECKING:
    from reconcile.filesystem.parallel import Tally
    from reconcile.system import Host

AFTER_S = 0.7
"""A look that takes less needs no telling."""
EVERY_S = 0.2
ERASED = b"\r\x1b[K"


@contextmanager
def counted(host: Host, *, json: bool) -> Iterator[None]:
    """Tell on stderr how many files the body has looked at, where it takes longer than a moment.

    On a terminal only, and gone when the body has ended. Costs a look nothing but an
    addition a directory.
    """
    if json or not shows_progress(sys.stderr):
        yield
        return
    from reconcile.filesystem.parallel import Tally

    host.scan_progress = Tally()
    line = _Line(host.scan_progress)
    line.start()
    try:
        yield
    finally:
        line.end()
        host.scan_progress = None


class _Line(threading.Thread):
    """One line of a terminal, written anew until `end`."""

    def __init__(self, tally: Tally) -> None:
        super().__init__(daemon=True)
        self._tally, self._over, self._began = tally, threading.Event(), monotonic()

    def run(self) -> None:
        if self._over.wait(AFTER_S):
            return
        # A terminal that has gone is no reason to fail.
        with suppress(OSError):
            while not self._over.wait(EVERY_S):
                self._write(ERASED + self._text().encode())
            self._write(ERASED)

    def end(self) -> None:
        self._over.set()
        self.join()

    def _text(self) -> str:
        total = self._tally.total
        rate = total / (monotonic() - self._began)
        columns = os.get_terminal_size(sys.stderr.fileno()).columns or 80
        return f"Looking at files: {total:,} so far ({rate:,.0f} a second)"[: columns - 1]

    def _write(self, data: bytes) -> None:
        # Past all buffers, whose locks a reader forked meanwhile would inherit.
        os.write(sys.stderr.fileno(), data)
