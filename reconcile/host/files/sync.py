"""Making many changes durable at once."""

from __future__ import annotations

import os
from functools import cache
from typing import Any


def sync_filesystem(pinned: int) -> None:
    """Flush the whole filesystem of a pinned directory: one wait instead of one a file.

    Source: syncfs(2).
    """
    syncfs = _syncfs()
    if syncfs is None:
        os.sync()
        return
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=pinned)
    try:
        if syncfs(fd) != 0:
            _raise_errno()
    finally:
        os.close(fd)


def _raise_errno() -> None:
    import ctypes

    number = ctypes.get_errno()
    raise OSError(number, os.strerror(number))


@cache
def _syncfs() -> Any:
    import ctypes

    return getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
