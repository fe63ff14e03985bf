"""Pin the directory of a name to read there, where no symlink leads in one call of the kernel."""

from __future__ import annotations

import ctypes
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from reconcile.filesystem.safe_path import PIN_DIRECTORY, NameIn, closing, pin_name

_OPENAT2, _AT_FDCWD, _RESOLVE_NO_SYMLINKS = 437, -100, 0x04


@contextmanager
def pin_to_read(path: str, *, follow: bool = False) -> Iterator[NameIn]:
    """As `pin_name`, for who asks what is there, and not who could have put it there.

    Errors: those of `pin_name`.
    """
    direct = _pin_without_links(path)
    if direct is not None:
        with closing(direct.dir_fd):
            if not follow or not _is_link(direct):
                yield direct
                return
    with pin_name(path, follow=follow) as at:
        yield at


def _is_link(at: NameIn) -> bool:
    found = at.stat()
    return found is not None and stat.S_ISLNK(found.st_mode)


def _pin_without_links(path: str) -> NameIn | None:
    """The name in its directory; None where the walk has to decide, or to explain."""
    folder, _, name = path.rpartition("/")
    if not path.startswith("/") or name in ("", ".", "..") or "/../" in path or "\0" in path:
        return None
    how, size = _how()
    fd = _syscall()(_OPENAT2, _AT_FDCWD, os.fsencode(folder or "/"), ctypes.byref(how), size)
    return None if fd < 0 else NameIn(path, fd, name)


@cache
def _how() -> tuple[ctypes.Array[ctypes.c_uint64], int]:
    """The kernel's `struct open_how`: flags, mode, resolve. Source: openat2(2), Linux 5.6."""
    how = (ctypes.c_uint64 * 3)(PIN_DIRECTORY, 0, _RESOLVE_NO_SYMLINKS)
    return how, ctypes.sizeof(how)


@cache
def _syscall() -> Any:
    call = ctypes.CDLL(None).syscall
    call.restype = ctypes.c_long
    call.argtypes = (
        *(ctypes.c_long, ctypes.c_int, ctypes.c_char_p),
        *(ctypes.c_void_p, ctypes.c_size_t),
    )
    return call
