"""What the process manager started: written down, and found again only if it is still the same."""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
from dataclasses import asdict

from reconcile.dataclass import dataclass
from reconcile.system.processes import Identity, identity


@dataclass(frozen=True)
class Running:
    """A process that was started for a unit, and the digest of the unit file it was started from.

    An id that another process has got since, or a boot in between, is not it.
    """

    pid: int
    start_ticks: int
    boot_id: str
    digest: str

    @property
    def alive(self) -> bool:
        return identity(self.pid) == Identity(self.pid, self.start_ticks, self.boot_id)


def read_running(path: str) -> Running | None:
    """What `path` tells, None where there is nothing or nothing readable by this version."""
    text = read_text(path)
    try:
        return Running(**json.loads(text)) if text else None
    except (ValueError, TypeError):
        return None


def write_running(path: str, pid: int, digest: str) -> None:
    """Write down that `pid` was started; nothing where it has already ended."""
    found = identity(pid)
    if found:
        text = json.dumps(asdict(Running(*found, digest)))
        _write_text(path, text)


def digest_of(text: str) -> str:
    return "sha256:" + hashlib.sha256(os.fsencode(text)).hexdigest()


def end(pid: int, signals: tuple[tuple[signal.Signals, float], ...]) -> None:
    """End `pid`: each signal in turn, with the seconds it is given, then SIGKILL to its group."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        for number, patience_s in signals:
            signal.pidfd_send_signal(handle, number)
            if select.select([handle], [], [], patience_s)[0]:
                return
        _kill_hard(pid)
        select.select([handle], [], [], None)
    except ProcessLookupError:
        return
    finally:
        os.close(handle)


def _kill_hard(pid: int) -> None:
    """Kill the group that `pid` leads; alone where it leads none, since we might be in that one."""
    if os.getpgid(pid) == pid:
        os.killpg(pid, signal.SIGKILL)
    else:
        os.kill(pid, signal.SIGKILL)


def read_text(path: str) -> str | None:
    """The text of a file, None where there is none."""
    try:
        with open(path, "rb") as file:
            return os.fsdecode(file.read())
    except FileNotFoundError:
        return None


def _write_text(path: str, text: str) -> None:
    beside = f"{path}.new"
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW
    with open(os.open(beside, flags, 0o600), "wb") as file:
        file.write(os.fsencode(text))
    os.replace(beside, path)
