"""What statx(2) knows of an inode beyond stat(2): its birth, its mount, and its attributes.

Without it (an old kernel or C library, a sandbox that forbids the call) they are unknown.
"""

from __future__ import annotations

import ctypes
import os
from functools import cache
from typing import Any

AT_FDCWD = -100
AT_SYMLINK_NOFOLLOW, AT_EMPTY_PATH = 0x100, 0x1000
BIRTH, MOUNT = 0x800, 0x1000
"""Bits of the mask, in which the kernel answers what it knows: STATX_BTIME, STATX_MNT_ID."""


class _Statx(ctypes.Structure):
    """Only what is used here has a name."""

    _fields_ = (
        ("mask", ctypes.c_uint32),
        ("block_size", ctypes.c_uint32),
        ("attributes", ctypes.c_uint64),
        ("before", ctypes.c_uint8 * 64),
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


def attributes(path: str) -> int:
    """The STATX_ATTR_* bits of what `path` is, a link included; 0 where they are unknown."""
    return int(_asked(AT_FDCWD, 0, os.fsencode(path), AT_SYMLINK_NOFOLLOW).attributes)


def _asked(fd: int, mask: int, path: bytes = b"", flags: int = AT_EMPTY_PATH) -> _Statx:
    statx, found = _statx(), _Statx()
    if statx is None or statx(fd, path, flags, mask, ctypes.byref(found)):
        found.mask = found.attributes = 0
    return found


@cache
def _statx() -> Any:
    return getattr(ctypes.CDLL(None), "statx", None)
