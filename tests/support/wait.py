"""Waiting for a fact instead of for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")
PAUSE_S = 0.02


def wait_for(condition: Callable[[], Found | None], what: str, *, timeout_s: float = 240) -> Found:
    """What `condition` returns as soon as it is true; AssertionError after `timeout_s`."""
    deadline = time.monotonic() + timeout_s
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {timeout_s:.0f} s for {what}")
        time.sleep(PAUSE_S)
    return found
