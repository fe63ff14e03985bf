"""Having the kernel refuse any one call of ours, with any error."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.faults.dying import EFFECTS
from tests.support.tally import TALLY

CALLS = (*EFFECTS, "fsync")
"""All that changes a filesystem or makes a change durable, and every opening of a file."""


class Counter:
    """How many calls were made, and whether the one that was to fail was among them."""

    def __init__(self, fails: int, error: int, times: int) -> None:
        self.calls, self._fails, self._error, self._times = 0, fails, error, times

    @property
    def failed(self) -> bool:
        return self.calls > self._fails

    def watch(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def watched(*args: Any, **named: Any) -> Any:
            self.calls += 1
            if self._fails < self.calls <= self._fails + self._times:
                raise OSError(self._error, os.strerror(self._error))
            return call(*args, **named)

        return watched


@contextmanager
def failing_at(number: int, error: int, times: int = 1) -> Iterator[Counter]:
    """Let the calls from `number` on, so many `times`, fail with `error`."""
    counter = Counter(number, error, times)
    real = {name: getattr(os, name) for name in CALLS}
    for name, call in real.items():
        setattr(os, name, counter.watch(call))
    try:
        yield counter
    finally:
        for name, call in real.items():
            setattr(os, name, call)
        TALLY["faults at a call"] += counter.failed
