"""What statx(2) knows of an open inode beyond stat(2): its birth, and its mount.

Without it (an old kernel or C library, a sandbox that forbids the call) both are unknown.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

AT_EMPTY_PATH = 0x1000
BIRTH, MOUNT = 0x800, 0x1000
"""Bits of the mask, in which the kernel answers what it knows: STATX_BTIME, STATX_MNT_ID."""


class _Statx(ctypes.Structure):
    """Only what is used here has a name."""

    _fields_ = (
        ("mask", ctypes.c_uint32),
        ("before", ctypes.c_uint8 * 76),
        ("born_s", ctypes.c_int64),
        ("born_ns", ctypes.c_uint32),
        ("between", ctypes.c_uint8 * 52),
        ("mount_id", ctypes.c_uint64),
        ("after", ctypes.c_uint8 * 104),
    )


def born_ns(fd: int) -> int:
    """When the inode was made; 0 where that is unknown."""
    found = _asked(fd, BIRTH)
    return found.born_s * 10**9 + found.born_ns if found.mask & BIRTH else 0


def mount_of(fd: int) -> int | None:
    """The mount that the descriptor is on, by its number in mountinfo."""
    found = _asked(fd, MOUNT)
    return int(found.mount_id) if found.mask & MOUNT else None


def _asked(fd: int, mask: int) -> _Statx:
    statx, found = _statx(), _Statx()
    if statx is None or statx(fd, b"", AT_EMPTY_PATH, mask, ctypes.byref(found)):
        found.mask = 0
    return found


@cache
def _statx() -> Any:
    return getattr(ctypes.CDLL(None), "statx", None)
