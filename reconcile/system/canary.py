"""Canary files, which test whether a folder is writable and served, and are always removed.

Only a plain file with exactly the content of a canary, which is random, is ever removed, so that no
upload is mistaken for one. Of a file with the name of a canary, the beginning of that content is
enough: a kill or a full disk leaves it truncated.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from reconcile.filesystem.atomic_write import NEW_FILE, write_all
from reconcile.filesystem.read import names_in
from reconcile.filesystem.safe_path import PinnedName, closing, pin_directory, pin_name
from reconcile.system.processes import as_user

if TYPE_CHECKING:
    from reconcile.system import Host

Result = TypeVar("Result")

_NAME = re.compile(r"\A\.?reconcile-canary-([0-9a-f]{32})\.txt\Z")
# A fifo under the name of a canary must not block the process.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_LONGEST_RUN_S = 600
"""After that, another process has the number of one that was killed."""
_NOT_A_FILE = {errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENXIO}


@dataclass(frozen=True)
class Canary:
    """A file with a random name and content."""

    nonce: str

    @classmethod
    def new(cls) -> Canary:
        """A canary with a random name, which also shows the process that writes it."""
        return cls(f"{os.getpid():08x}{secrets.token_hex(12)}")

    @property
    def pid(self) -> int:
        """The process that wrote it."""
        return int(self.nonce[:8], 16)

    @property
    def name(self) -> str:
        """Its file name."""
        return f"reconcile-canary-{self.nonce}.txt"

    @property
    def hidden_name(self) -> str:
        """The name of its dotfile, which must not be served."""
        return f".{self.name}"

    @property
    def content(self) -> bytes:
        """The content of both files."""
        return f"reconcile canary {self.nonce}\n".encode()


def create(
    host: Host,
    folder: str,
    canary: Canary,
    *,
    mode: int,
    writer: str | None,
    beside: Collection[Canary] = (),
) -> None:
    """Write both files of `canary` into `folder` as `writer` (None: as the current user).

    Those of interrupted runs are removed first, but none `beside` which this one is written, and
    none of a run that is still going on.
    Errors: OSError as the kernel returns it to that user.
    """
    names, own_pid = (canary.name, canary.hidden_name), os.getpid()

    def work() -> None:
        """Write both files, or none."""
        _remove_stale(folder, beside, own_pid)
        try:
            for name in names:
                _write_canary(f"{folder}/{name}", canary.content, mode)
        except OSError:
            _remove_canary(f"{folder}/{canary.name}", canary)
            raise

    _call_as(host, writer, work)


def remove(host: Host, folder: str, canary: Canary, *, writer: str | None) -> None:
    """Remove what `create` wrote, if it is still there."""

    def work() -> None:
        """Remove both files."""
        for name in (canary.name, canary.hidden_name):
            _remove_canary(f"{folder}/{name}", canary)

    _call_as(host, writer, work)


def can_remove_from(folder: str) -> bool:
    """Whether the current user can remove a file from `folder`."""
    try:
        with pin_directory(folder) as (pinned, _):
            return os.access(".", os.W_OK | os.X_OK, dir_fd=pinned, effective_ids=True)
    except OSError:
        return False


def remove_upload(folder: str, relative: str, canary: Canary) -> bool:
    """Remove the canary that an app saved as `folder`/`relative`; False where it is absent.

    `relative` comes from the app: it is ignored where it could lead out of `folder`, and a file
    that does not hold the whole canary stays.
    """
    names = relative.split("/")
    if not all(names) or {".", ".."} & set(names) or "\0" in relative:
        return False
    return _remove_canary(f"{folder}/{relative}", canary)


def _remove_stale(folder: str, in_use: Collection[Canary], own_pid: int) -> None:
    """Remove the canaries of interrupted runs."""
    for name in _file_names(folder):
        found = _NAME.match(name)
        canary = Canary(found[1]) if found else None
        if canary is None or canary in in_use:
            continue
        if canary.pid == own_pid or not _is_of_a_run(canary, f"{folder}/{name}"):
            _remove_stale_file(f"{folder}/{name}", canary)


def _is_of_a_run(canary: Canary, path: str) -> bool:
    """Whether the process that wrote it still runs, as a drift check beside an apply does."""
    try:
        age_s = time.time() - os.lstat(path).st_mtime
    except OSError:
        return False
    return age_s < _LONGEST_RUN_S and os.path.exists(f"/proc/{canary.pid}")


def _remove_stale_file(path: str, canary: Canary) -> bool:
    try:
        return _remove_canary(path, canary, truncated_too=True)
    except PermissionError:
        return False  # A file that cannot be read was not written by this user.


def _call_as(host: Host, writer: str | None, work: Callable[[], Result]) -> Result:
    if writer is None:
        return work()
    return as_user(host.accounts.user(writer), work)


def _write_canary(path: str, content: bytes, mode: int) -> None:
    with pin_name(path) as at, closing(os.open(at.name, NEW_FILE, 0o600, dir_fd=at.dir_fd)) as fd:
        try:
            write_all(fd, content)
            os.fchmod(fd, mode)
        except OSError:
            _unlink_inode(at, fd)
            raise


def _remove_canary(path: str, canary: Canary, *, truncated_too: bool = False) -> bool:
    try:
        with pin_name(path) as at, closing(os.open(at.name, _READ, dir_fd=at.dir_fd)) as fd:
            content = _content(fd, len(canary.content))
            is_canary = content == canary.content
            is_truncated = content is not None and canary.content.startswith(content)
            if not (is_canary or (truncated_too and is_truncated)):
                return False
            return _unlink_inode(at, fd)
    except OSError as problem:
        if problem.errno in _NOT_A_FILE:
            return False
        raise


def _unlink_inode(at: PinnedName, fd: int) -> bool:
    """Remove the name if it is still that of the open file."""
    found, now = os.fstat(fd), at.stat()
    if now is None or (now.st_dev, now.st_ino) != (found.st_dev, found.st_ino):
        return False
    os.unlink(at.name, dir_fd=at.dir_fd)
    return True


def _content(fd: int, most: int) -> bytes | None:
    """The content of an open plain file; None for anything else, or more than `most` bytes."""
    found = os.fstat(fd)
    is_small = stat.S_ISREG(found.st_mode) and found.st_size <= most
    return os.read(fd, most) if is_small else None


def _file_names(folder: str) -> list[str]:
    try:
        with pin_directory(folder) as (pinned, _):
            return names_in(pinned)
    except (FileNotFoundError, PermissionError):
        return []  # Without a listing no canary can be found.
