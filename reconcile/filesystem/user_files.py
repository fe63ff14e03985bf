"""Files that a user names on the command line: saved plans, metrics, configurations."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from posixpath import basename, dirname

from reconcile.filesystem.atomic_write import write_atomically
from reconcile.filesystem.host_error import HostError, explained
from reconcile.filesystem.path import helper_name
from reconcile.filesystem.safe_path import (
    OTHERS_WRITE,
    PinnedName,
    closing,
    pin_name,
    trusted_users,
)

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
MOST_COMPARED = 32 << 20
"""Bytes of an old file that `replaceable` gets."""

Replaceable = Callable[[bytes], bool]


def write_user_file(path: str, data: bytes, *, mode: int, replaceable: Replaceable) -> None:
    """Write a file at `path`, old or new but never torn.

    An existing one is replaced only if it is a plain file whose content is
    `replaceable`. Errors: HostError.
    """
    with explained(f"{path} cannot be written"):
        # A user's own path: links in it are the user's to choose.
        folder = os.open(dirname(os.path.abspath(path)), FOLDER)
        with closing(folder):
            at = PinnedName(path, folder, basename(path), "untrusted")
            overwrite = _is_replaceable(at, replaceable)
            temp = helper_name(at.name, "new")
            write_atomically(at, temp, data, lambda fd: os.fchmod(fd, mode), overwrite=overwrite)


def read_user_file(path: str, limit: int) -> bytes:
    """At most `limit` + 1 bytes of the file that the user named. Errors: HostError."""
    with explained(f"{path} cannot be read"), open(path, "rb") as file:
        return file.read(limit + 1)


def is_trusted_file(path: str) -> bool:
    """Whether only root and who runs this can have written the file, or put it there."""
    try:
        with pin_name(path, follow=True) as at:
            found = at.stat()
    except OSError:
        return False
    if found is None or at.trust != "trusted":
        return False
    return found.st_uid in trusted_users() and not found.st_mode & OTHERS_WRITE


def _is_replaceable(at: PinnedName, replaceable: Replaceable) -> bool:
    """False where nothing is there. Errors: HostError where something else is."""
    try:
        fd = os.open(at.name, OLD, dir_fd=at.dir_fd)
    except FileNotFoundError:
        return False
    with os.fdopen(fd, "rb") as file:
        is_plain = stat.S_ISREG(os.fstat(fd).st_mode)
        if is_plain and replaceable(file.read(MOST_COMPARED)):
            return True
    raise HostError(
        f"{at.path} already exists",
        "it is not a file of that kind written by reconcile",
        "Choose another file, or remove it. It was not changed.",
    )
