"""Files that a user names on the command line: saved plans, metrics, configurations."""

from __future__ import annotations

import errno
import os
import select
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager

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

OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
SILENCE_S = 10.0
"""How long a pipe may have nothing to read."""
MOST_COMPARED = 32 << 20
"""Bytes of an old file that `replaceable` gets."""

Replaceable = Callable[[bytes], bool]


def write_user_file(
    path: str, data: bytes, *, mode: int | None = None, replaceable: Replaceable | None = None
) -> None:
    """Write a file at `path`, old or new but never torn; `mode` is by default the umask's.

    An existing one is replaced only if it is a plain file whose content is `replaceable`. In a
    directory that somebody else can write no symlink is followed: it could lead root anywhere.
    Errors: HostError.
    """
    permissions = 0o666 & ~_umask() if mode is None else mode
    with _explained(f"{path} cannot be written"), _pinned(path) as at:
        overwrite = _is_replaceable(at, path, replaceable)
        temp = helper_name(at.name, "new")
        write_atomically(at, temp, data, lambda fd: os.fchmod(fd, permissions), overwrite=overwrite)


def read_user_file(path: str, limit: int) -> bytes:
    """See `read_given`. Errors: HostError."""
    with explained(f"{path} cannot be read"):
        return read_given(path, limit)


def read_given(path: str, limit: int) -> bytes:
    """At most `limit` + 1 bytes of the file, or the pipe, that the user named.

    Errors: OSError; HostError for a pipe to which nobody writes.
    """
    fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with closing(fd):
        data = b""
        while len(data) <= limit:
            _wait_until_readable(fd, path)
            chunk = os.read(fd, limit + 1 - len(data))
            if not chunk:
                break
            data += chunk
        return data


def _wait_until_readable(fd: int, path: str) -> None:
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    if not poll.poll(SILENCE_S * 1000):
        raise HostError(
            what=f"{path} cannot be read",
            why=f"it is a pipe, and nobody wrote to it for {SILENCE_S:g} s",
            fix="Name a file, or start what writes to it first.",
        )


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


@contextmanager
def _pinned(path: str) -> Iterator[PinnedName]:
    # Not normalized: `..` after a symlink is the parent of its target.
    with pin_name(path if path.startswith("/") else f"{os.getcwd()}/{path}") as at:
        if path.endswith("/") or at.name in (".", ".."):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        yield at


@contextmanager
def _explained(what: str) -> Iterator[None]:
    """As `explained`, with a fix for every error."""
    try:
        with explained(what):
            yield
    except HostError as error:
        error.fix = error.fix or "Choose another file."
        raise


def _is_replaceable(at: PinnedName, path: str, replaceable: Replaceable | None) -> bool:
    """False where nothing is there. Errors: HostError where something else is."""
    try:
        fd = os.open(at.name, OLD, dir_fd=at.dir_fd)
    except FileNotFoundError:
        return False
    except OSError as error:
        # A symlink is something else, too.
        if error.errno != errno.ELOOP:
            raise
    else:
        with os.fdopen(fd, "rb") as file:
            is_plain = stat.S_ISREG(os.fstat(fd).st_mode)
            if is_plain and replaceable and replaceable(file.read(MOST_COMPARED)):
                return True
    raise HostError(
        f"{path} already exists",
        "it is not a file of that kind written by reconcile" if replaceable else "",
        "Choose another file, or remove it. It was not changed.",
    )


def _umask() -> int:
    before = os.umask(0o077)
    os.umask(before)
    return before
