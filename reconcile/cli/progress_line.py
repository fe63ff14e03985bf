"""A line on the terminal that counts files while a command reads many of them."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from time import monotonic

from reconcile.cli.terminal import shows_progress
from reconcile.filesystem.parallel import ProgressCounter
from reconcile.system import Host

AFTER_S = 0.7
"""Reading that takes less shows no progress."""
EVERY_S = 0.2
ERASE_LINE = b"\r\x1b[K"


@contextmanager
def file_progress(host: Host, *, json: bool) -> Iterator[None]:
    """Show on stderr how many files the body has read, if it takes longer than a moment.

    On a terminal only, not between the lines of -v, and erased when the body ends. Costs one
    addition per directory.
    """
    if json or Host.wrap_part or not shows_progress(sys.stderr):
        yield
        return
    host.scan_progress = ProgressCounter()
    line = _ProgressLine(host.scan_progress)
    line.start()
    try:
        yield
    finally:
        line.stop()
        host.scan_progress = None


class _ProgressLine(threading.Thread):
    """One line of the terminal, rewritten until `stop`."""

    def __init__(self, counter: ProgressCounter) -> None:
        super().__init__(daemon=True)
        self._counter, self._stop_requested, self._start_s = counter, threading.Event(), monotonic()

    def run(self) -> None:
        """Rewrite the line until stopped, once the reading takes longer than a moment."""
        if self._stop_requested.wait(AFTER_S):
            return
        # A terminal that was closed is no reason to fail.
        with suppress(OSError):
            while not self._stop_requested.wait(EVERY_S):
                self._write_bytes(ERASE_LINE + self._count_text().encode())
            self._write_bytes(ERASE_LINE)

    def stop(self) -> None:
        """Erase the line and end the thread."""
        self._stop_requested.set()
        self.join()

    def _count_text(self) -> str:
        total = self._counter.total
        rate = total / (monotonic() - self._start_s)
        columns = os.get_terminal_size(sys.stderr.fileno()).columns or 80
        return f"Reading files: {total:,} so far ({rate:,.0f}/s)"[: columns - 1]

    def _write_bytes(self, data: bytes) -> None:
        # Unbuffered: a helper process forked meanwhile would inherit a buffer's lock.
        os.write(sys.stderr.fileno(), data)
