"""One apply at a time, by a lock that the kernel frees when its holder dies."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from posixpath import join
from typing import TYPE_CHECKING, Any

from reconcile.errors import LockHeld
from reconcile.filesystem.host_error import explained
from reconcile.filesystem.safe_path import pin_name

if TYPE_CHECKING:
    from reconcile.system import Host

RUN = "/run/reconcile.lock"
NAME = "lock"
POLL_S = 0.05
FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
CANNOT_WRITE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT}


@contextmanager
def lock(host: Host, command: str, *, timeout_s: float = 0.0) -> Iterator[None]:
    """Hold the host's lock for the body, waiting at most `timeout_s` for it.

    The file stays where it is: removing it would let two in.
    Errors: LockHeld, naming the holder.
    """
    fd = _open(host)
    try:
        _acquire(fd, timeout_s)
        _write_holder(fd, host, command)
        yield
        # Whoever reads it looks first whether it is locked, so what is left there does no harm.
        with suppress(OSError):
            os.ftruncate(fd, 0)
    finally:
        os.close(fd)


def holder(host: Host) -> str:
    """Who holds the lock, "" if nobody; neither takes the lock nor touches its file."""
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
    # To try the lock would take it for a moment, and an apply that comes then be refused.
    with open("/proc/locks", encoding="ascii") as locks:
        return any(
            line.split()[1] == "FLOCK" and line.split()[5].endswith(f":{found.st_ino}")
            for line in locks
            if "->" not in line
        )


@contextmanager
def try_lock(host: Host, name: str, *, timeout_s: float) -> Iterator[bool]:
    """Let one at a time into the body, by a file of the state directory; whether it is our turn."""
    path = join(host.state.make_directory(), name)
    with explained(f"the lock {path} could not be opened"):
        fd = _open_at(path)
    try:
        deadline = time.monotonic() + timeout_s
        while not (is_held := _try_flock(fd)) and time.monotonic() < deadline:
            time.sleep(POLL_S)
        yield is_held
    finally:
        os.close(fd)


def _open(host: Host) -> int:
    """The host-wide file, or one in the state directory: for a sandbox, or where /run is closed."""
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


def _acquire(fd: int, timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not _try_flock(fd):
        if time.monotonic() >= deadline:
            raise _lock_held(_holder(fd))
        time.sleep(POLL_S)


def _try_flock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _write_holder(fd: int, host: Host, command: str) -> None:
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    user = os.environ.get("SUDO_USER") or host.accounts.current.name
    holder = {"pid": os.getpid(), "user": user, "since": since, "command": command}
    with explained("the lock could not be signed"):
        os.ftruncate(fd, 0)
        os.pwrite(fd, json.dumps(holder).encode(), 0)


def _holder(fd: int) -> dict[str, Any]:
    """What the holder wrote; nothing in the moment before it has."""
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
        what="another apply is at work on this host",
        why=f"the lock is held {who}" if holder else "the lock was taken a moment ago",
        fix="Wait for it, or give --lock-timeout. The lock frees itself when its holder ends.",
    )
