"""Making many changes durable at once."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from typing import Any

from reconcile.filesystem.backup import sync_directory
from reconcile.filesystem.safe_path import pin_directory

FEW = 16
"""Directories up to which flushing each is quicker than flushing the whole filesystem."""


def flush(folders: Iterable[str]) -> None:
    """Make durable what was changed in these directories; one that is gone needs nothing."""
    together: dict[int, list[str]] = {}
    for folder in sorted(set(folders)):
        with suppress(FileNotFoundError, NotADirectoryError), pin_directory(folder) as (pin, _):
            together.setdefault(os.fstat(pin).st_dev, []).append(folder)
    for on_one_device in together.values():
        many = len(on_one_device) > FEW
        for folder in on_one_device[:1] if many else on_one_device:
            with pin_directory(folder) as (pin, _):
                (sync_filesystem if many else sync_directory)(pin)


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
