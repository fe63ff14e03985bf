"""Whenever a signal comes, an apply ends in a whole state, and reports which."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from reconcile.engine import apply as engine_apply
from reconcile.engine import convergence, execution, interrupt
from reconcile.engine.history import rows_backwards
from reconcile.engine.recovery import unfinished
from reconcile.resources.file import File
from tests.support.machine import in_box

pytestmark = pytest.mark.process

WATCHED = {one.__file__ for one in (engine_apply, execution, convergence, interrupt)}
STEP = 7
"""Every so many lines one is interrupted."""


class Died(BaseException):
    """The process would have died here."""


@contextmanager
def dies_by(number: signal.Signals) -> Iterator[None]:
    def die(number: int, frame: FrameType | None) -> None:
        raise Died

    before = signal.signal(number, die)
    try:
        yield
    finally:
        signal.signal(number, before)


@contextmanager
def interrupted_at(line: int, number: signal.Signals) -> Iterator[list[str]]:
    """Send `number` before the line that is executed as the nth of the watched modules."""
    passed: list[str] = []

    def trace(frame: FrameType, event: str, argument: object) -> Any:
        if frame.f_code.co_filename not in WATCHED:
            return None
        if event == "line":
            passed.append(f"{frame.f_code.co_name}:{frame.f_lineno}")
            if len(passed) == line:
                signal.raise_signal(number)
        return trace

    sys.settrace(trace)
    try:
        yield passed
    finally:
        sys.settrace(None)


@pytest.mark.parametrize("start", range(1, STEP + 1))
def test_a_signal_at_any_line_ends_in_a_whole_state(memory: Path, start: int) -> None:
    ends, line = set(), start
    while True:
        machine = in_box(memory / str(line))
        file = File(path=machine.path("a"), content=b"x", mode=0o644)
        report = None
        watched = interrupted_at(line, signal.SIGTERM)
        # Before the first effect, and once the outcome is recorded, it may end at once.
        with dies_by(signal.SIGTERM), watched as passed, suppress(Died):
            report = machine.apply(file)
        if len(passed) < line:
            break
        at = passed[line - 1]
        recorded = [row.entry.result for row in rows_backwards(machine.host.state)]
        assert () == unfinished(machine.host), at
        assert (["applied"] == recorded) == Path(file.path).exists(), at
        if report is not None:
            assert [report.result] == recorded, at
            ends.add((report.result, report.ended_by))
        line += STEP

    assert {("applied", 0), ("rolled_back", signal.SIGTERM)} == ends
