"""Immutable and append-only files: the reason behind a bare "operation not permitted"."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from posixpath import dirname

from reconcile.filesystem.host_error import HostError, host_error
from reconcile.filesystem.statx import attributes

FLAGS = {0x10: ("immutable", "i"), 0x20: ("append-only", "a")}
"""Source: statx(2), STATX_ATTR_IMMUTABLE and STATX_ATTR_APPEND; chattr(1)."""


@contextmanager
def changing(path: str, how: str) -> Iterator[None]:
    """Turn an OSError into a HostError: `path` could not be `how` (a participle)."""
    what = f"{path} could not be {how}"
    try:
        yield
    except OSError as error:
        denied = error.errno == errno.EPERM
        by_flag = flag_error(what, path, dirname(path)) if denied else None
        raise (by_flag or host_error(what, error)) from error


def flag_error(what: str, *paths: str) -> HostError | None:
    """The error that names the first of `paths` with a flag that not even root gets around."""
    for found in paths:
        flags = attributes(found)
        for bit, (name, letter) in FLAGS.items():
            if flags & bit:
                return HostError(
                    what=what,
                    why=f"{found} is {name}, even for root (chattr +{letter})",
                    fix=f"Unless this is intended: chattr -{letter} {found}",
                    number=errno.EPERM,
                )
    return None
