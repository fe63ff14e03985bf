"""Immutable and append-only files: the reason behind a bare "operation not permitted"."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from posixpath import dirname

from reconcile.filesystem.attributes import fd_path
from reconcile.filesystem.host_error import HostError, host_error
from reconcile.filesystem.safe_path import closing, pin_name

FS_IOC_GETFLAGS = 0x80086601
FLAGS = {0x10: ("immutable", "i"), 0x20: ("append-only", "a")}
"""Source: linux/fs.h, FS_IMMUTABLE_FL and FS_APPEND_FL; chattr(1)."""


@contextmanager
def changing(path: str, how: str) -> Iterator[None]:
    """Turn an OSError into a HostError: `path` could not be `how` (a participle)."""
    what = f"{path} could not be {how}"
    try:
        yield
    except OSError as error:
        by_flag = _flag_error(path, what) if error.errno == errno.EPERM else None
        raise (by_flag or host_error(what, error)) from error


def _flag_error(path: str, what: str) -> HostError | None:
    """The error that names the flag of the file or of its directory."""
    for found in (path, dirname(path)):
        flags = _flags(found)
        for bit, (name, letter) in FLAGS.items():
            if flags & bit:
                return HostError(
                    what=what,
                    why=f"{found} is {name}, even for root (chattr +{letter})",
                    fix=f"Unless this is intended: chattr -{letter} {found}",
                    number=errno.EPERM,
                )
    return None


def _flags(path: str) -> int:
    """The inode flags of a file or directory, 0 where they cannot be read."""
    try:
        with pin_name(path, follow=True) as at, at.pinned() as pin:
            return _read_flags(pin)
    except OSError:
        # Only read to explain an error that is being raised anyway.
        return 0


def _read_flags(pin: int) -> int:
    mode = os.fstat(pin).st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        return 0
    with closing(os.open(fd_path(pin), os.O_RDONLY | os.O_CLOEXEC)) as fd:
        answer = fcntl.ioctl(fd, FS_IOC_GETFLAGS, bytes(8))
    return int.from_bytes(answer[:4], sys.byteorder)
