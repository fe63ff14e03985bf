"""Files that a user asks for by name: a saved plan, metrics. Whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable

from reconcile.filesystem.host_error import HostError, explained
from reconcile.filesystem.path import base, helper_name, parent

FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
OLD = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
MOST_LOOKED_AT = 32 << 20
"""Bytes of an old file that are shown to who decides whether it may go."""

Replaceable = Callable[[bytes], bool]


def write_user_file(path: str, data: bytes, *, mode: int, replaceable: Replaceable) -> None:
    """Put a file of ours at `path`, old or new but never torn.

    What is there already is replaced only if it is a plain file whose content is
    `replaceable`. Errors: HostError.
    """
    with explained(f"{path} cannot be written"):
        folder = os.open(parent(os.path.abspath(path)), FOLDER)
        try:
            _put(folder, base(path), path, data, mode, replaceable)
        finally:
            os.close(folder)


def read_user_file(path: str, limit: int) -> bytes:
    """A file that the user named, at most `limit` + 1 bytes of it. Errors: HostError."""
    with explained(f"{path} cannot be read"), open(path, "rb") as file:
        return file.read(limit + 1)


def is_trusted_file(path: str) -> bool:
    """Whether nobody but root and who runs this can have written the file, or put it there."""
    from reconcile.filesystem.safe_path import OTHERS_WRITE, pin_name, trusted_users

    try:
        with pin_name(path, follow=True) as at:
            found = at.stat()
    except OSError:
        return False
    if found is None or at.trust != "closed":
        return False
    return found.st_uid in trusted_users() and not found.st_mode & OTHERS_WRITE


def _put(
    folder: int, name: str, path: str, data: bytes, mode: int, replaceable: Replaceable
) -> None:
    is_new = not _there(folder, name, path, replaceable)
    temp = helper_name(name, "new")
    fd = os.open(temp, NEW, 0o600, dir_fd=folder)
    try:
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, mode)
            file.write(data)
            file.flush()
            os.fsync(fd)
        if is_new:
            # Unlike a rename, a link refuses what has appeared there meanwhile.
            os.link(temp, name, src_dir_fd=folder, dst_dir_fd=folder, follow_symlinks=False)
        else:
            os.rename(temp, name, src_dir_fd=folder, dst_dir_fd=folder)
    finally:
        _unlink(folder, temp)
    os.fsync(folder)


def _there(folder: int, name: str, path: str, replaceable: Replaceable) -> bool:
    """Whether a file is there that may be replaced. Errors: HostError where it may not."""
    try:
        fd = os.open(name, OLD, dir_fd=folder)
    except FileNotFoundError:
        return False
    with os.fdopen(fd, "rb") as file:
        plain = stat.S_ISREG(os.fstat(fd).st_mode)
        if plain and replaceable(file.read(MOST_LOOKED_AT)):
            return True
    raise HostError(
        f"{path} is there already",
        "it is not a file of that kind by reconcile",
        "Name another file, or remove it. It was not touched.",
    )


def _unlink(folder: int, name: str) -> None:
    try:
        os.unlink(name, dir_fd=folder)
    except FileNotFoundError:
        return
