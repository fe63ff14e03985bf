"""A walk on all cores: forked readers that take directories from one pipe.

Threads do not help, because a stat is too short to give the interpreter away for.
"""

from __future__ import annotations

import marshal
import os
import warnings
from collections import deque
from collections.abc import Collection
from dataclasses import asdict
from typing import Any

from reconcile.host.files.resolve import directory
from reconcile.host.files.scan import Deviation, Examples, Rule, Scan
from reconcile.host.files.walk import ROOT, Place, Share, Walker

ALONE = 4_000
"""Inodes up to which another process would cost more than it gains."""
ENOUGH_LOOKED = 40_000
SHARES_PER_WORKER = 16
HUGE = 1 << 20
"""Bytes of a directory itself above which its names are divided among the workers."""
SHALLOW = 16
"""Levels down to which directories are reached from the root to divide what is below."""
TOKEN = 4
PIPE = 60_000 // TOKEN
"""Shares that fit into a pipe before anybody reads from it."""


def scan(root: str, rule: Rule, excluded: Collection[str] = ()) -> Scan:
    """Compare everything below the directory `root` with `rule`; changes nothing.

    `excluded` are paths relative to the root, left out with all that is below.
    """
    with directory(root) as (pin, guard):
        fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=pin)
        try:
            walker = Walker(fd, guard, rule, excluded)
            _walk_all(walker)
        finally:
            os.close(fd)
    return walker.scan.in_order()


def _walk_all(walker: Walker) -> None:
    workers = len(os.sched_getaffinity(0))
    shares = _divide(walker, workers)
    if len(shares) < 2:
        for share in shares:
            walker.walk(share)
        return
    _walk_together(walker, shares, workers)


def _divide(walker: Walker, workers: int) -> list[Share]:
    """Look at the upper directories until there is enough left to be shared."""
    waiting: deque[Place] = deque([ROOT])
    shares: list[Share] = []
    while waiting and not _enough(walker, len(waiting), workers):
        place = waiting.popleft()
        if place.depth >= SHALLOW:
            shares.append(Share(place))
            continue
        if workers > 1 and _is_huge(walker, place):
            shares += [Share(place, part, workers) for part in range(workers)]
            continue
        below = walker.subdirectories(place)
        waiting.extend(Place(place, name, place.depth + 1) for name in below)
    return [*shares, *map(Share, waiting)]


def _enough(walker: Walker, waiting: int, workers: int) -> bool:
    if walker.looked < ALONE or waiting >= PIPE:
        return waiting >= PIPE
    return waiting >= workers * SHARES_PER_WORKER or walker.looked >= ENOUGH_LOOKED


def _is_huge(walker: Walker, place: Place) -> bool:
    try:
        return walker.size_of(place) > HUGE
    except OSError:
        # The walk meets the same error, and tells it.
        return False


def _walk_together(walker: Walker, shares: list[Share], workers: int) -> None:
    tokens, feed = os.pipe()
    os.write(feed, b"".join(index.to_bytes(TOKEN, "big") for index in range(len(shares))))
    os.close(feed)
    try:
        others = [_start(walker, shares, tokens) for _ in range(workers - 1)]
        _work(walker, shares, tokens)
        for process, answer in others:
            walker.scan.merge(_result(process, answer))
    finally:
        os.close(tokens)


def _work(walker: Walker, shares: list[Share], tokens: int) -> None:
    while token := os.read(tokens, TOKEN):
        walker.walk(shares[int.from_bytes(token, "big")])


def _start(walker: Walker, shares: list[Share], tokens: int) -> tuple[int, int]:
    """A forked reader: its process id, and the pipe that its findings come through."""
    answer, tell = os.pipe()
    with warnings.catch_warnings():
        # The child makes system calls only, so another thread's locks cannot stop it.
        warnings.simplefilter("ignore", DeprecationWarning)
        process = os.fork()
    if process == 0:
        _read_and_exit(walker, shares, tokens, tell)
    os.close(tell)
    return process, answer


def _read_and_exit(walker: Walker, shares: list[Share], tokens: int, tell: int) -> None:
    failed = 1
    try:
        walker.scan = Scan()
        _work(walker, shares, tokens)
        with os.fdopen(tell, "wb") as pipe:
            pipe.write(marshal.dumps(_plain(walker.scan)))
        failed = 0
    finally:
        # Never back into the parent's code, not even by an exception.
        os._exit(failed)


def _plain(scan: Scan) -> dict[str, Any]:
    return {**asdict(scan), "deviations": [tuple(found) for found in scan.deviations]}


def _result(process: int, answer: int) -> Scan:
    with os.fdopen(answer, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(process, 0)
    if status != 0:
        raise OSError(0, "a reader that was to look at a part of the tree has died")
    told = marshal.loads(data)  # noqa: S302  our own child's, over a pipe of our own
    told["deviations"] = [Deviation(*found) for found in told["deviations"]]
    for name in ("withheld", "hard_links", "mounts", "unreadable"):
        told[name] = Examples(**told[name])
    return Scan(**told)
