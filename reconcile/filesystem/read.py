"""Read what is there, through the same safe walk as every change."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from posixpath import join

from reconcile.filesystem.attributes import fd_path
from reconcile.filesystem.globs import is_glob, matches
from reconcile.filesystem.host_error import ChangedSincePlan
from reconcile.filesystem.inode import Stat
from reconcile.filesystem.path import is_helper_name
from reconcile.filesystem.pin_to_read import pin_to_read
from reconcile.filesystem.safe_path import PIN_DIRECTORY, NameIn, closing, open_readable

NamesIn = Callable[[str], list[str]]
Exists = Callable[[str], bool]
CHUNK = 1 << 20


@contextmanager
def open_file(at: NameIn) -> Iterator[int]:
    """The regular file `at`, open for reading; nothing else is ever opened.

    Errors: FileNotFoundError; OSError (EISDIR, ELOOP, EINVAL) where it is no regular file.
    """
    with at.pinned() as pin:
        mode = os.fstat(pin).st_mode
        if not stat.S_ISREG(mode):
            raise _not_a_file(mode)
        fd = os.open(fd_path(pin), os.O_RDONLY | os.O_CLOEXEC)
    with closing(fd):
        yield fd


def _not_a_file(mode: int) -> OSError:
    if stat.S_ISDIR(mode):
        return IsADirectoryError(errno.EISDIR, "Is a directory")
    if stat.S_ISLNK(mode):
        return OSError(errno.ELOOP, "it is a symlink")
    return OSError(errno.EINVAL, "it is neither a file nor a directory")


def stat_of(path: str, *, follow: bool = False) -> Stat | None:
    """The facts of `path`, None where absent; `follow`: of what it safely points to."""
    try:
        with pin_to_read(path, follow=follow) as at:
            found = at.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    return None if found is None else Stat.of(found)


def read_content(path: str, limit: int) -> tuple[Stat, bytes]:
    """A file's facts and bytes, from one descriptor. Errors: EFBIG above `limit` bytes."""
    with pin_to_read(path, follow=True) as at, open_file(at) as fd:
        data = read_all(fd, limit)
        return Stat.of(os.fstat(fd)), data


def read_part(path: str, start: int, length: int) -> bytes:
    """The bytes of a file from `start`, fewer than `length` at its end."""
    with pin_to_read(path, follow=True) as at, open_file(at) as fd:
        return os.pread(fd, length, start)


def read_all(fd: int, limit: int) -> bytes:
    """The bytes of an open file. Errors: EFBIG above `limit` bytes."""
    with os.fdopen(os.dup(fd), "rb") as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit} bytes")
    return data


def readlink(path: str) -> str:
    """The target of the symlink `path`."""
    with pin_to_read(path) as at:
        return os.readlink(at.name, dir_fd=at.dir_fd)


def listdir(path: str, *, helpers: bool = False) -> list[str]:
    """The names in a directory, sorted by bytes; reconcile's helper files only on request."""
    with pin_to_read(path, follow=True) as at, at.pinned(PIN_DIRECTORY) as fd:
        names = names_in(fd)
    return sorted((name for name in names if helpers or not is_helper_name(name)), key=os.fsencode)


def _exists(path: str) -> bool:
    return stat_of(path) is not None


def names_in(dir_fd: int) -> list[str]:
    """Every name in a pinned directory, unsorted."""
    with open_readable(dir_fd) as fd:
        return os.listdir(fd)


def glob(pattern: str, names: NamesIn = listdir, exists: Exists = _exists) -> list[str]:
    """What glob(3) lists in the C locale: sorted by bytes, `*` without dotfiles."""
    found = ["/"]
    for part in pattern.split("/"):
        if is_glob(part):
            found = [path for folder in found for path in _matches(folder, part, names)]
        elif part:
            found = [path for folder in found if exists(path := join(folder, part))]
    return sorted(found, key=os.fsencode)


def _matches(folder: str, part: str, names: NamesIn) -> list[str]:
    try:
        there = names(folder)
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [join(folder, name) for name in there if matches(part, name)]


def chunks(fd: int) -> Iterator[bytes]:
    """The content of an open file, from its beginning."""
    offset = 0
    while chunk := os.pread(fd, CHUNK, offset):
        yield chunk
        offset += len(chunk)


def sha256_of(fd: int) -> bytes:
    """The SHA-256 of an open file."""
    running = sha256()
    for chunk in chunks(fd):
        running.update(chunk)
    return running.digest()


def digest_of(fd: int) -> str:
    """The same as `sha256:…`."""
    return f"sha256:{sha256_of(fd).hex()}"


def identity_of(path: str) -> str:
    """The `identity` of a path; "" where it, or a directory above it, is absent."""
    try:
        with pin_to_read(path) as at:
            return identity(at)
    except (FileNotFoundError, NotADirectoryError):
        return ""


def refuse_changed(at: NameIn, expected: str | None) -> None:
    """Check that a name still holds what was observed of it; None: whatever it holds.

    Errors: ChangedSincePlan.
    """
    if expected is None or (now := identity(at)) == expected:
        return
    if not expected:
        why = "it did not exist then"
    elif not now:
        why = "it no longer exists"
    else:
        why = "its content has changed"
    raise ChangedSincePlan(at.path, why)


def identity(at: NameIn) -> str:
    """What a name holds, as one value to compare with what was written.

    `sha256:…` of a file, `link:TARGET` of a symlink, "other", or "" where absent.
    """
    found = at.stat()
    if found is None:
        return ""
    if stat.S_ISLNK(found.st_mode):
        return f"link:{os.readlink(at.name, dir_fd=at.dir_fd)}"
    if not stat.S_ISREG(found.st_mode):
        return "other"
    with open_file(at) as fd:
        return digest_of(fd)
