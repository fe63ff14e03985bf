"""Records from which version of a unit file systemd started the running process.

The record of a run stays true however the file is edited later. For a run without a record, the
times of the files decide.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconcile.system import Host
    from reconcile.system.services import UnitStatus


def record_start(host: Host, status: UnitStatus) -> None:
    """Record that this run uses the present files, if their times prove it."""
    if status.invocation and not _is_older(status):
        record = {
            "invocation": status.invocation,
            "file": _digest(host, status.fragment_path),
            "dropins": _dropins(host, status),
        }
        host.state.write(_name(status.unit), json.dumps(record).encode())


def forget_start(host: Host, unit: str) -> None:
    """Remove the record of a unit."""
    host.state.remove(_name(unit))


def started_from(host: Host, status: UnitStatus) -> str | None:
    """See `ServiceManager.started_from`: by the record of this run, else by the files' times."""
    record = _read_record(host, status.unit)
    if (
        status.invocation
        and record.get("invocation") == status.invocation
        and record.get("dropins") == _dropins(host, status)
    ):
        return str(record.get("file"))
    return None if _is_older(status) else _digest(host, status.fragment_path)


def _read_record(host: Host, unit: str) -> dict[str, object]:
    data = host.state.read(_name(unit))
    try:
        record = json.loads(data or b"{}")
    except ValueError:
        # The record only adds precision: without it, the times decide.
        return {}
    return record if isinstance(record, dict) else {}


def _name(unit: str) -> str:
    return f"started/{unit}.json"


def _digest(host: Host, path: str) -> str:
    return f"sha256:{hashlib.sha256(host.files.read(path)).hexdigest()}"


def _dropins(host: Host, status: UnitStatus) -> dict[str, str]:
    there = (path for path in status.dropins if host.files.stat(path, follow=True))
    return {path: _digest(host, path) for path in there}


def _is_older(status: UnitStatus) -> bool:
    if status.needs_daemon_reload or not status.fragment_path:
        return True
    changes = map(_changed_at, (status.fragment_path, *status.dropins))
    return (status.started_at or 0.0) < max(changes)


def _changed_at(path: str) -> float:
    """The mtime of `path` in seconds since the epoch; now where it does not exist."""
    try:
        return os.stat(path).st_mtime
    except FileNotFoundError:
        return time.time()
