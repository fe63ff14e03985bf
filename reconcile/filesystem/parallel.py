"""Looking at a tree on all cores: forked readers that take shares from one pipe.

Threads do not help, because a stat is too short to give the interpreter away for.
"""

from __future__ import annotations

import gc
import mmap
import os
import signal
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import Any, TypeVar

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


class WorkerDied(OSError):
    """A forked reader has ended before it told what it found."""


def worker_count() -> int:
    """How many processes look at a large tree, this one among them."""
    return min(len(os.sched_getaffinity(0)), MOST_WORKERS)


def split_work(
    whole: S,
    below: Callable[[S], Iterable[S]],
    is_last: Callable[[S], bool],
    looked: Callable[[], int],
) -> list[S]:
    """Look at the upper directories until there is enough left to be shared out.

    `below` looks at one and gives what is below it; those that are `is_last` are
    left to the readers. `looked` is how many inodes were looked at so far.
    """
    waiting, left = deque([whole]), list[S]()
    while waiting and not _enough(looked(), len(waiting)):
        share = waiting.popleft()
        if is_last(share):
            left.append(share)
        else:
            waiting.extend(below(share))
    return [*left, *waiting]


def _enough(looked: int, waiting: int) -> bool:
    if looked < SERIAL_BELOW or waiting >= PIPE:
        return waiting >= PIPE
    return waiting >= worker_count() * SHARES_PER_WORKER or looked >= SPLIT_UP_TO


def map_parallel(shares: Sequence[S], look: Callable[[Iterator[S]], T]) -> list[T]:
    """What each reader found in the shares that it took, as `look` returns it.

    Errors: ReaderDied where one of the others failed, for whatever reason.
    """
    if len(shares) < 2 or worker_count() < 2:
        return map_serial(shares, look)
    tokens, feed = os.pipe()
    os.write(feed, b"".join(index.to_bytes(TOKEN, "big") for index in range(len(shares))))
    os.close(feed)
    others: list[tuple[int, int]] = []
    try:
        while len(others) < worker_count() - 1:
            others.append(_fork_worker(lambda: look(_take_shares(shares, tokens))))
        found = [look(_take_shares(shares, tokens))]
        while others:
            found.append(_collect(*others.pop()))
        return found
    finally:
        os.close(tokens)
        for process, answer in others:
            _kill(process, answer)


def _take_shares(shares: Sequence[S], tokens: int) -> Iterator[S]:
    while token := os.read(tokens, TOKEN):
        yield shares[int.from_bytes(token, "big")]


def _fork_worker(work: Callable[[], object]) -> tuple[int, int]:
    """A forked reader: its process id, and the pipe that its findings come through."""
    answer, tell = os.pipe()
    with warnings.catch_warnings():
        # The child makes system calls only, so another thread's locks cannot stop it.
        warnings.simplefilter("ignore", DeprecationWarning)
        process = os.fork()
    if process == 0:
        _work_and_exit(work, tell)
    os.close(tell)
    return process, answer


def _work_and_exit(work: Callable[[], object], tell: int) -> None:
    failed = 1
    try:
        # Collecting garbage would write to, and so copy, every page shared with the parent.
        gc.disable()
        import pickle

        with os.fdopen(tell, "wb") as pipe:
            pickle.dump(work(), pipe, pickle.HIGHEST_PROTOCOL)
        failed = 0
    finally:
        # Never back into the parent's code, not even by an exception.
        os._exit(failed)


def _collect(process: int, answer: int) -> Any:
    import pickle

    with os.fdopen(answer, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(process, 0)
    if status != 0:
        raise WorkerDied(0, "a reader that was to look at a part of the tree has died")
    return pickle.loads(data)  # noqa: S301  our own child's, over a pipe of our own


def _kill(process: int, answer: int) -> None:
    """What it would find is of no use any more."""
    os.close(answer)
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)


def map_serial(shares: Sequence[S], look: Callable[[Iterator[S]], T]) -> list[T]:
    """The same by this process."""
    return [look(iter(shares))]


COUNTERS = mmap.PAGESIZE // 8


class ProgressCounter:
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
