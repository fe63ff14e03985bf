"""How far a copy is."""

from __future__ import annotations

import time
from collections.abc import Callable

QUIET_S, EVERY_S = 0.7, 0.2
OnProgress = Callable[[int, int], None]
"""Called with how many files of how many are written."""


class ProgressReporter:
    """Counts the files that are written, for `on_progress`; silent while a copy is short."""

    def __init__(self, on_progress: OnProgress | None, total: int) -> None:
        self._on_progress, self._total, self._done = on_progress, total, 0
        self._next_s = time.monotonic() + QUIET_S

    def add(self, count: int) -> None:
        """Count `count` more files."""
        self._done += count
        if self._on_progress is not None and time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + EVERY_S
            self._on_progress(self._done, self._total)
