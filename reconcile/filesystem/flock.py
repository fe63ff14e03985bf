"""Locks of open files, as flock(2) has them."""

from __future__ import annotations

import fcntl


def try_flock(fd: int) -> bool:
    """Take the exclusive lock of an open file; False where another process has one of it."""
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
