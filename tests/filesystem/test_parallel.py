"""Shares of a large tree, looked at by several processes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconcile.filesystem.parallel import WorkerDied, map_parallel, split_work, worker_count

pytestmark = pytest.mark.process

Found = tuple[int, list[int]]


def look(shares: Iterator[int]) -> Found:
    return os.getpid(), list(shares)


def test_every_share_is_taken_by_one_reader() -> None:
    found = map_parallel(range(1_000), look)

    assert list(range(1_000)) == sorted(share for _, taken in found for share in taken)


def test_there_are_as_many_readers_as_cores_but_few_on_a_large_machine(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for cores, expected in ((1, 1), (2, 2), (64, 4)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: set(range(cores)))
        found = map_parallel(range(10), look)

        assert expected == worker_count() == len({pid for pid, _ in found})


def test_one_core_has_one_reader_which_is_this_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})

    assert [(os.getpid(), [0, 1, 2])] == map_parallel(range(3), look)


def test_a_reader_that_fails_is_reported_and_leaves_nothing() -> None:
    here, before = os.getpid(), children()

    def failing(shares: Iterator[int]) -> Found:
        if os.getpid() != here:
            raise OSError(5, "Input/output error")
        return look(shares)

    with pytest.raises(WorkerDied):
        map_parallel(range(3), failing)
    assert before == children()


def test_the_others_end_when_this_process_fails() -> None:
    here, before = os.getpid(), children()

    def failing(shares: Iterator[int]) -> Found:
        if os.getpid() == here:
            raise KeyboardInterrupt
        while True:
            os.read(os.open("/dev/zero", os.O_RDONLY), 1)

    with pytest.raises(KeyboardInterrupt):
        map_parallel(range(3), failing)
    assert before == children()


def children() -> set[str]:
    """Of this process, those included that have ended and nobody has waited for."""
    tasks = Path("/proc/self/task").iterdir()
    return {pid for task in tasks for pid in (task / "children").read_text().split()}


def test_a_small_tree_is_scanned_without_sharing_it_out() -> None:
    below = {1: [2, 3], 2: [4], 3: [], 4: []}
    looked: list[int] = []

    def step(one: int) -> list[int]:
        looked.append(one)
        return below[one]

    left = split_work(1, step, lambda one: False, lambda: len(looked))

    assert ([], [1, 2, 3, 4]) == (left, looked)


def test_of_a_large_one_the_upper_directories_are() -> None:
    looked: list[int] = []

    def step(one: int) -> range:
        looked.append(one)
        return range(10)

    left = split_work(1, step, lambda one: False, lambda: 1_000 * len(looked))

    assert 16 * worker_count() <= len(left)
    assert 10 > len(looked)
