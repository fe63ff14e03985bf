"""Read a tree on all cores: forked workers that take shares from one pipe.

Threads do not help, because a stat is too short to release the interpreter for.
"""

from __future__ import annotations

import mmap
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

S = TypeVar("S")
T = TypeVar("T")

MOST_WORKERS = 4
"""Each holds some megabytes of its own, and more of them wait for the kernel's locks."""
SERIAL_BELOW = 4_000
"""Inodes up to which another process would cost more than it gains."""
SPLIT_UP_TO = 40_000
SHARES_PER_WORKER = 16
TOKEN = 4
PIPE = 60_000 // TOKEN
"""Shares that fit into a pipe before anybody reads from it."""
COUNTERS = mmap.PAGESIZE // 8


class WorkerDied(OSError):
    """A forked worker has ended before it reported its results."""


class ProgressCounter:
    """How many names were examined so far, by this process and the workers that it forks.

    A shared page with a counter for each process: nobody waits for anybody. Two of one
    number would lose some of each other's counts, and this is for display only.
    """

    def __init__(self) -> None:
        self._counts = memoryview(mmap.mmap(-1, mmap.PAGESIZE)).cast("Q")

    def add(self, count: int) -> None:
        """Count `count` more names, in this process."""
        self._counts[os.getpid() % COUNTERS] += count

    @property
    def total(self) -> int:
        """The names examined by all processes."""
        return sum(self._counts)


def worker_count() -> int:
    """How many processes read a large tree, including this one."""
    return min(len(os.sched_getaffinity(0)), MOST_WORKERS)


def split_work(
    whole: S,
    below: Callable[[S], Iterable[S]],
    is_last: Callable[[S], bool],
    examined: Callable[[], int],
) -> list[S]:
    """Read the upper directories until there is enough left to be shared out.

    `below` reads one and returns what is below it; those that are `is_last` are
    left to the workers. `examined` is how many inodes were read so far.
    """
    waiting, left = deque([whole]), list[S]()
    while waiting and not _is_enough(examined(), len(waiting)):
        share = waiting.popleft()
        if is_last(share):
            left.append(share)
        else:
            waiting.extend(below(share))
    return [*left, *waiting]


def _is_enough(examined: int, waiting: int) -> bool:
    if examined < SERIAL_BELOW or waiting >= PIPE:
        return waiting >= PIPE
    return waiting >= worker_count() * SHARES_PER_WORKER or examined >= SPLIT_UP_TO


def map_parallel(shares: Sequence[S], read: Callable[[Iterator[S]], T]) -> list[T]:
    """What `read` returns in each worker for the shares that this one took.

    Errors: WorkerDied where another worker failed, for whatever reason.
    """
    if len(shares) < 2 or worker_count() < 2:
        return map_serial(shares, read)
    # Most trees are read by one process, which does without pickle.
    from reconcile.filesystem.forked_worker import collect, fork_worker, kill

    tokens, feed = os.pipe()
    os.write(feed, b"".join(index.to_bytes(TOKEN, "big") for index in range(len(shares))))
    os.close(feed)
    workers: list[tuple[int, int]] = []
    try:
        while len(workers) < worker_count() - 1:
            workers.append(fork_worker(lambda: read(_take_shares(shares, tokens))))
        found = [read(_take_shares(shares, tokens))]
        while workers:
            found.append(collect(*workers.pop()))
        return found
    finally:
        os.close(tokens)
        for process, results in workers:
            kill(process, results)


def map_serial(shares: Sequence[S], read: Callable[[Iterator[S]], T]) -> list[T]:
    """The same in this process alone."""
    return [read(iter(shares))]


def _take_shares(shares: Sequence[S], tokens: int) -> Iterator[S]:
    while token := os.read(tokens, TOKEN):
        yield shares[int.from_bytes(token, "big")]
