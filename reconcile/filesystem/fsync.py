"""Make changes of names durable: one directory, or many at once."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from contextlib import suppress
from functools import cache
from typing import Any

from reconcile.filesystem.host_error import UnsafePath
from reconcile.filesystem.safe_path import open_readable, pin_directory

FEW = 16
"""Flushes up to which one each is faster than flushing the whole filesystem."""


def sync_directory(pinned: int) -> None:
    """Make the names in a pinned directory durable."""
    with open_readable(pinned) as fd:
        os.fsync(fd)


def flush(folders: Iterable[str], *, skips_links: bool = False) -> None:
    """Make the names in these directories durable; one that is gone needs nothing.

    With `skips_links` neither does one in whose place, or above which, there is a link that is
    not followed, as a rollback restores it.
    """
    by_device: dict[int, list[str]] = {}
    gone = (FileNotFoundError, NotADirectoryError, *([UnsafePath] if skips_links else []))
    for folder in sorted(set(folders)):
        with suppress(*gone), pin_directory(folder) as (pin, _):
            by_device.setdefault(os.fstat(pin).st_dev, []).append(folder)
    for on_one_device in by_device.values():
        many = len(on_one_device) > FEW
        for folder in on_one_device[:1] if many else on_one_device:
            with pin_directory(folder) as (pin, _):
                (sync_filesystem if many else sync_directory)(pin)


def sync_filesystem(pinned: int) -> None:
    """Flush the whole filesystem of a pinned directory: one wait instead of one per file.

    Source: syncfs(2).
    """
    syncfs = _syncfs()
    if syncfs is None:
        os.sync()
        return
    with open_readable(pinned) as fd:
        if syncfs(fd) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))


@cache
def _syncfs() -> Any:
    return getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
