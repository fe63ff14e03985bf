"""A unit test that starts a process fails: it has to be marked `process`.

So the unit suite stays fast, and runs as any user.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Any

import pytest

STARTS = {"subprocess.Popen", "os.posix_spawn", "os.exec", "os.fork", "os.forkpty"}
MARKS = ("process", "host", "nightly")


class _Unit:
    """The unit test at work, if one is, and what it started."""

    def __init__(self) -> None:
        self.is_at_work, self.started = False, ""

    def watch(self, event: str, args: tuple[Any, ...]) -> None:
        if self.is_at_work and event in STARTS:
            self.started = f"{event}{args[:2]}"


_unit = _Unit()
# Events of the interpreter, which no library gets around.
sys.addaudithook(_unit.watch)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    _unit.started = ""
    _unit.is_at_work = not any(item.get_closest_marker(mark) for mark in MARKS)
    try:
        return (yield)
    finally:
        _unit.is_at_work = False


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    # What a folder's tests share, such as booted hosts, ends with the last one, whichever it is.
    if nextitem is None or nextitem.path.parent != item.path.parent:
        _unit.is_at_work = False
    yield
    started, _unit.started = _unit.started, ""
    assert not started, f"A unit test started a process: mark it `process`. {started}"
