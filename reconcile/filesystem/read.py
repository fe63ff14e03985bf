"""Reading: what is there, through the same safe walk as every change."""

from __future__ import annotations

import errno
import fnmatch
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256

from reconcile.filesystem.attributes import fd_path
from reconcile.filesystem.inode import Stat
from reconcile.filesystem.path import as_bytes, is_helper_name, join
from reconcile.filesystem.safe_path import PinnedName, pin_directory, pin_name

CHUNK = 1 << 20
MAGIC = frozenset("*?[")


@contextmanager
def opened(at: PinnedName) -> Iterator[int]:
    """The regular file `at`, open for reading; nothing else is ever opened.

    Errors: FileNotFoundError; OSError (EISDIR, ELOOP, EINVAL) where it is no regular file.
    """
    pin = at.pin()
    try:
        mode = os.fstat(pin).st_mode
        if not stat.S_ISREG(mode):
            raise _not_a_file(mode)
        fd = os.open(fd_path(pin), os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(pin)
    try:
        yield fd
    finally:
        os.close(fd)


def _not_a_file(mode: int) -> OSError:
    if stat.S_ISDIR(mode):
        return IsADirectoryError(errno.EISDIR, "Is a directory")
    if stat.S_ISLNK(mode):
        return OSError(errno.ELOOP, "it is a symlink")
    return OSError(errno.EINVAL, "it is neither a file nor a directory")


def stat_of(path: str, *, follow: bool = False) -> Stat | None:
    try:
        with pin_name(path, follow=follow) as at:
            found = at.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return None if found is None else Stat.of(found)


def content(path: str, limit: int) -> tuple[Stat, bytes]:
    """A file's facts and bytes, read from one descriptor; EFBIG above `limit` bytes."""
    with pin_name(path, follow=True) as at, opened(at) as fd:
        data = _read(fd, limit)
        return Stat.of(os.fstat(fd)), data


def _read(fd: int, limit: int) -> bytes:
    with os.fdopen(os.dup(fd), "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit} bytes")
    return data


def readlink(path: str) -> str:
    with pin_name(path) as at:
        return os.readlink(at.name, dir_fd=at.dir_fd)


def listdir(path: str, *, helpers: bool = False) -> list[str]:
    """The names in a directory, sorted by bytes; our own helpers only if asked for."""
    with pin_directory(path) as (fd, _):
        names = names_in(fd)
    return sorted((name for name in names if helpers or not is_helper_name(name)), key=as_bytes)


def names_in(fd: int) -> list[str]:
    """Every name in a pinned directory."""
    readable = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=fd)
    try:
        return os.listdir(readable)
    finally:
        os.close(readable)


def glob(pattern: str) -> list[str]:
    """What glob(3) lists in the C locale: sorted by bytes, `*` without dotfiles."""
    found = ["/"]
    for part in pattern.split("/"):
        if part:
            found = [path for folder in found for path in _matches(folder, part)]
    return sorted(found, key=as_bytes)


def _matches(folder: str, part: str) -> list[str]:
    if not MAGIC & set(part):
        path = join(folder, part)
        return [path] if stat_of(path) is not None else []
    try:
        names = listdir(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    dotted = part.startswith(".")
    return [
        join(folder, name)
        for name in names
        if fnmatch.fnmatchcase(name, part) and (dotted or not name.startswith("."))
    ]


def digest_of(fd: int) -> str:
    """`sha256:…` of everything in the open file."""
    running = sha256()
    for chunk in chunks(fd):
        running.update(chunk)
    return f"sha256:{running.hexdigest()}"


def chunks(fd: int) -> Iterator[bytes]:
    """All that is in the open file, from its beginning."""
    offset = 0
    while chunk := os.pread(fd, CHUNK, offset):
        yield chunk
        offset += len(chunk)


def identity(at: PinnedName) -> str:
    """What a name holds, told so that "is this what we wrote?" is one comparison.

    `sha256:…` of a file, `link:TARGET` of a symlink, "other", or "" where absent.
    """
    found = at.stat()
    if found is None:
        return ""
    if stat.S_ISLNK(found.st_mode):
        return f"link:{os.readlink(at.name, dir_fd=at.dir_fd)}"
    if not stat.S_ISREG(found.st_mode):
        return "other"
    with opened(at) as fd:
        return digest_of(fd)
