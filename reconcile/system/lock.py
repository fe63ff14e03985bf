"""The lock that allows one apply at a time; the kernel releases it when its holder ends."""

from __future__ import annotations

import errno
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from posixpath import join
from typing import TYPE_CHECKING, Any

from reconcile.errors import LockHeld
from reconcile.filesystem.flock import try_flock
from reconcile.filesystem.host_error import explained
from reconcile.filesystem.safe_path import pin_name
from reconcile.system.processes import wait_until

if TYPE_CHECKING:
    from reconcile.system import Host

RUN = "/run/reconcile.lock"
NAME = "lock"
POLL_S = 0.05
FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
CANNOT_WRITE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT}


@contextmanager
def lock(host: Host, command: str, *, timeout_s: float = 0.0) -> Iterator[None]:
    """Hold the host's lock for the body, after waiting at most `timeout_s` for it.

    The file is never removed: otherwise two processes could lock different files of that name.
    Errors: LockHeld, which names the holder.
    """
    fd = _open(host)
    try:
        if not wait_until(partial(try_flock, fd), timeout_s=timeout_s, every_s=POLL_S):
            raise _lock_held(_holder(fd))
        _write_holder(fd, host, command)
        yield
        # Harmless where it fails: the holder is read only while the file is locked.
        with suppress(OSError):
            os.ftruncate(fd, 0)
    finally:
        os.close(fd)


def holder(host: Host) -> str:
    """The holder of the lock in words, "" where it is free. Does not take the lock."""
    for path in (RUN, join(host.state.path, NAME)):
        sandboxed = host.settings.service_manager == "process"
        text = _held_by(path) if path != RUN or not sandboxed else ""
        if text:
            return text
    return ""


def _held_by(path: str) -> str:
    try:
        with open(path, "rb") as file:
            return (
                _holder_text(_holder(file.fileno())) if _is_locked(os.fstat(file.fileno())) else ""
            )
    except OSError:
        return ""


def _is_locked(found: os.stat_result) -> bool:
    """Whether the kernel lists a lock on it. Source: proc_locks(5)."""
    # Trying the lock would take it for a moment, in which an apply would fail.
    with open("/proc/locks", encoding="ascii") as locks:
        return any(
            line.split()[1] == "FLOCK" and line.split()[5].endswith(f":{found.st_ino}")
            for line in locks
            if "->" not in line
        )


@contextmanager
def try_lock(host: Host, name: str, *, timeout_s: float) -> Iterator[bool]:
    """Hold a lock file of the state directory for the body; yields whether it was acquired."""
    path = join(host.state.make_directory(), name)
    with explained(f"the lock {path} could not be opened"):
        fd = _open_at(path)
    try:
        yield wait_until(partial(try_flock, fd), timeout_s=timeout_s, every_s=POLL_S)
    finally:
        os.close(fd)


def _open(host: Host) -> int:
    """Open the host-wide file, or one in the state directory where /run is not writable."""
    if host.settings.service_manager != "process":
        try:
            return _open_at(RUN)
        except OSError as error:
            if error.errno not in CANNOT_WRITE:
                raise
    path = join(host.state.make_directory(), NAME)
    with explained(f"the lock {path} could not be opened"):
        return _open_at(path)


def _open_at(path: str) -> int:
    with pin_name(path) as at:
        return os.open(at.name, FLAGS, 0o600, dir_fd=at.dir_fd)


def _write_holder(fd: int, host: Host, command: str) -> None:
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    user = os.environ.get("SUDO_USER") or host.accounts.current.name
    holder = {"pid": os.getpid(), "user": user, "since": since, "command": command}
    with explained("the lock file could not be written"):
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps(holder).encode(), 0)


def _holder(fd: int) -> dict[str, Any]:
    """What the holder wrote; {} in the moment before it does."""
    try:
        content = json.loads(os.pread(fd, 4096, 0))
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}


def _holder_text(holder: dict[str, Any]) -> str:
    return "by {user} since {since}, pid {pid}: {command}".format(
        **{key: holder.get(key, "?") for key in ("user", "since", "pid", "command")}
    )


def _lock_held(holder: dict[str, Any]) -> LockHeld:
    who = _holder_text(holder)
    return LockHeld(
        what="another apply is running on this host",
        why=f"the lock is held {who}" if holder else "the lock was acquired a moment ago",
        fix="Wait for it, or use --lock-timeout. The lock is released when its holder ends.",
    )
