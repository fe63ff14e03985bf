"""Small files that prove a way through the machine, and that never stay behind.

A canary's name and content say whose it is. Only a plain file with both is
ever removed, so no upload can be mistaken for one. One that was cut short, by a
kill or a full disk, has the beginning of its content, or nothing.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from reconcile.filesystem.safe_path import pin_directory, pin_name

if TYPE_CHECKING:
    from reconcile.system import Host

Answer = TypeVar("Answer")

_NAME = re.compile(r"\A\.?reconcile-canary-([0-9a-f]{32})\.txt\Z")
_WRITE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# A fifo under the name of a canary must not hang us.
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NOT_A_FILE = {errno.ENOENT, errno.ELOOP, errno.ENOTDIR, errno.ENXIO}


@dataclass(frozen=True)
class Canary:
    """A file that nobody can guess."""

    nonce: str

    @classmethod
    def new(cls) -> Canary:
        return cls(secrets.token_hex(16))

    @property
    def name(self) -> str:
        return f"reconcile-canary-{self.nonce}.txt"

    @property
    def hidden_name(self) -> str:
        return f".{self.name}"

    @property
    def content(self) -> bytes:
        return f"reconcile canary {self.nonce}\n".encode()


def create(host: Host, folder: str, canary: Canary, *, mode: int, writer: str | None) -> None:
    """Write both files of `canary` into `folder` as `writer` (None: as who runs this).

    Errors: OSError as the kernel gave it to that user.
    """

    names = (canary.name, canary.hidden_name)

    def errand() -> None:
        try:
            for name in names:
                _write(f"{folder}/{name}", canary.content, mode)
        except OSError:
            for name in names:
                _remove(f"{folder}/{name}", canary)
            raise

    _run_as(host, writer, errand)


def remove(host: Host, folder: str, canary: Canary, *, writer: str | None) -> None:
    """Remove what `plant` wrote, as far as it is there."""

    def errand() -> None:
        for name in (canary.name, canary.hidden_name):
            _remove(f"{folder}/{name}", canary)

    _run_as(host, writer, errand)


def can_remove_from(folder: str) -> bool:
    """Whether who runs this could remove a file from `folder`."""
    try:
        with pin_directory(folder) as (pinned, _):
            return os.access(".", os.W_OK | os.X_OK, dir_fd=pinned, effective_ids=True)
    except OSError:
        return False


def remove_upload(folder: str, relative: str, canary: Canary) -> bool:
    """Remove the canary that an app saved as `folder`/`relative`; False where it is not there.

    `relative` was told by the app: it is refused where it could lead elsewhere.
    """
    names = relative.split("/")
    if not all(names) or {".", ".."} & set(names) or "\0" in relative:
        return False
    return _remove(f"{folder}/{relative}", canary)


def remove_stale(host: Host, folder: str, *, writer: str | None) -> int:
    """Remove canaries of runs that were killed; how many there were."""

    def errand() -> int:
        found = [(name, _NAME.match(name)) for name in _names_in(folder)]
        return sum(_remove_stale_file(f"{folder}/{name}", Canary(m[1])) for name, m in found if m)

    return _run_as(host, writer, errand)


def _remove_stale_file(path: str, canary: Canary) -> bool:
    try:
        return _remove(path, canary)
    except PermissionError:
        return False  # A file that we cannot even read is none that we wrote.


def _run_as(host: Host, writer: str | None, errand: Callable[[], Answer]) -> Answer:
    if writer is None:
        return errand()
    from reconcile.system.processes import as_user

    return as_user(host.accounts.user(writer), errand)


def _write(path: str, content: bytes, mode: int) -> None:
    with pin_name(path) as at:
        fd = os.open(at.name, _WRITE, 0o600, dir_fd=at.dir_fd)
        try:
            os.write(fd, content)
            os.fchmod(fd, mode)
        finally:
            os.close(fd)


def _remove(path: str, canary: Canary) -> bool:
    try:
        with pin_name(path) as at:
            content = _content(at.dir_fd, at.name, len(canary.content))
            if content is None or not canary.content.startswith(content):
                return False
            os.unlink(at.name, dir_fd=at.dir_fd)
    except OSError as problem:
        if problem.errno in _NOT_A_FILE:
            return False
        raise
    return True


def _content(dir_fd: int, name: str, most: int) -> bytes | None:
    """What the plain file `name` holds, up to `most` bytes; None where it is anything else."""
    fd = os.open(name, _READ, dir_fd=dir_fd)
    try:
        found = os.fstat(fd)
        is_ours = stat.S_ISREG(found.st_mode) and found.st_size <= most
        return os.read(fd, most) if is_ours else None
    finally:
        os.close(fd)


def _names_in(folder: str) -> list[str]:
    try:
        with pin_directory(folder) as (pinned, _):
            fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=pinned)
    except (FileNotFoundError, PermissionError):
        return []  # Where nobody can look, no canary can be found either.
    try:
        return os.listdir(fd)
    finally:
        os.close(fd)
