"""How far a long look has come, told across processes."""

from __future__ import annotations

import mmap
import os

COUNTERS = mmap.PAGESIZE // 8


class Tally:
    """How many names were looked at so far, by this process and the readers that it forks.

    A page that they share, with a counter for each: nobody waits for anybody. Two of one
    number would lose some of each other's, and this is for showing only.
    """

    def __init__(self) -> None:
        self._counts = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")

    def add(self, count: int) -> None:
        self._counts[os.getpid() % COUNTERS] += count

    @property
    def total(self) -> int:
        return sum(self._counts)
