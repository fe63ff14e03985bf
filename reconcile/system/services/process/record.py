"""Records of the processes that the process manager has started."""

from __future__ import annotations

import hashlib
import json
import os
import select
import signal
from collections.abc import Mapping
from dataclasses import asdict, field
from typing import TYPE_CHECKING

from reconcile.dataclass import dataclass
from reconcile.system.processes import ProcessIdentity, identity

if TYPE_CHECKING:
    from reconcile.filesystem.state_dir import StateDir


@dataclass(frozen=True)
class ProcessRecord:
    """A process that was started for a unit, and the digests of what it was started from.

    The start time and the boot distinguish it from a later process with the same pid.
    `environment`: path → digest of each environment file that existed.
    """

    pid: int
    start_ticks: int
    boot_id: str
    digest: str
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def run(self) -> str:
        """What distinguishes this run of the unit from any other."""
        return f"{self.boot_id}/{self.pid}/{self.start_ticks}"

    @property
    def is_running(self) -> bool:
        """Whether this process still runs."""
        return identity(self.pid) == ProcessIdentity(self.pid, self.start_ticks, self.boot_id)


def running_record(state: StateDir, unit: str) -> ProcessRecord | None:
    """The record of a unit's process, None where it does not run or no record can be read."""
    try:
        found = ProcessRecord(**json.loads(state.read(_record_name(unit)) or b"{}"))
    except (ValueError, TypeError):
        return None
    return found if found.is_running else None


def record_this_process(
    state: StateDir, unit: str, digest: str, environment: Mapping[str, str]
) -> None:
    """Record that the calling process is the unit's, and what it is started from."""
    if found := identity(os.getpid()):
        record = ProcessRecord(*found, digest, environment)
        state.write(_record_name(unit), json.dumps(asdict(record)).encode())


def digest_of(text: bytes) -> str:
    """The digest of a unit file, as records hold it."""
    return "sha256:" + hashlib.sha256(text).hexdigest()


def end(pid: int, signals: tuple[tuple[signal.Signals, float], ...]) -> None:
    """End `pid`: send each signal and wait its seconds, then SIGKILL the group."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        for number, patience_s in signals:
            signal.pidfd_send_signal(handle, number)
            if select.select([handle], [], [], patience_s)[0]:
                return
        _kill_group(pid)
        select.select([handle], [], [], None)
    except ProcessLookupError:
        return
    finally:
        os.close(handle)


def _kill_group(pid: int) -> None:
    """Kill the group that `pid` leads; `pid` alone where it leads none: that group may be ours."""
    if os.getpgid(pid) == pid:
        os.killpg(pid, signal.SIGKILL)
    else:
        os.kill(pid, signal.SIGKILL)


def _record_name(unit: str) -> str:
    return f"run/{unit}.json"
