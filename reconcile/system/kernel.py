"""System calls that Python 3.11 does not have."""

from __future__ import annotations

import ctypes
import os

CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
_MOUNT_SETATTR, _AT_RECURSIVE, _MOUNT_ATTR_RDONLY = 442, 0x8000, 0x1
_AT_FDCWD = -100


class Kernel:
    """Calls the C library. Errors: each method raises OSError, which names the call."""

    def __init__(self) -> None:
        self._library = ctypes.CDLL(None, use_errno=True)

    def unshare(self, flags: int) -> None:
        """Move this thread to new namespaces, those of `flags`. Source: unshare(2)."""
        self._raise_failure(self._library.unshare(flags), "unshare")

    def mount(self, source: str, target: str, kind: str, flags: int, data: str = "") -> None:
        """Mount `source` at `target`. Source: mount(2)."""
        names = (os.fsencode(source), os.fsencode(target), kind.encode())
        result = self._library.mount(*names, ctypes.c_ulong(flags), data.encode() or None)
        self._raise_failure(result, f"mount {target}")

    def make_read_only(self, path: bytes) -> None:
        """Make all mounts from `path` down read-only. Source: mount_setattr(2), Linux 5.12."""
        self._change_mount(path, _AT_RECURSIVE, set_=_MOUNT_ATTR_RDONLY)

    def make_writable(self, path: bytes) -> None:
        """Make the one mount at `path` writable again."""
        self._change_mount(path, 0, clear=_MOUNT_ATTR_RDONLY)

    def _change_mount(self, path: bytes, how: int, *, set_: int = 0, clear: int = 0) -> None:
        attributes = (ctypes.c_uint64 * 4)(set_, clear, 0, 0)
        size = ctypes.c_size_t(ctypes.sizeof(attributes))
        flags = ctypes.c_uint(how)
        result = self._library.syscall(
            ctypes.c_long(_MOUNT_SETATTR), _AT_FDCWD, path, flags, ctypes.byref(attributes), size
        )
        self._raise_failure(result, "mount_setattr")

    def _raise_failure(self, result: int, call: str) -> None:
        if result < 0:
            number = ctypes.get_errno()
            raise OSError(number, f"{call}: {os.strerror(number)}")
