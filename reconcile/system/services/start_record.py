"""Records from which unit file, drop-ins and environment files systemd started a process.

The record of a run stays true however the file is edited later. For a run without a record, the
times of the files decide.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterable, Iterator
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING, Any

from reconcile.filesystem.path import ancestors_top_down
from reconcile.system.services.unit_files import UNIT_DIRECTORIES

if TYPE_CHECKING:
    from reconcile.system import Host
    from reconcile.system.services import UnitStatus


NS_PER_S = 1_000_000_000
MOST_LINKS = 40


def record_start(host: Host, status: UnitStatus) -> None:
    """Record that this run uses the present files, if their times prove it.

    What was recorded of this run before proves more: a link can turn to an older file.
    """
    is_known = read_record(host, _record_name(status.unit)).get("invocation") == status.invocation
    if status.invocation and not is_known and not _is_older(host, status):
        record = {
            "invocation": status.invocation,
            "file": _digest(host, status.fragment_path),
            "dropins": _digests(host, _dropins(host, status)),
            "environment": _digests(host, status.environment_files),
        }
        host.state.write(_record_name(status.unit), json.dumps(record).encode())


def forget_start(host: Host, unit: str) -> None:
    """Remove the record of a unit."""
    host.state.remove(_record_name(unit))


def started_from(host: Host, status: UnitStatus) -> str | None:
    """See `ServiceManager.started_from`: by the record of this run, else by the files' times."""
    record = read_record(host, _record_name(status.unit))
    if status.invocation and record.get("invocation") == status.invocation:
        return str(record.get("file")) if _has_same_settings(host, status, record) else None
    return None if _is_older(host, status) else _digest(host, status.fragment_path)


def _has_same_settings(host: Host, status: UnitStatus, record: dict[str, object]) -> bool:
    dropins = _digests(host, _dropins(host, status))
    environment = _digests(host, status.environment_files)
    return (record.get("dropins"), record.get("environment", {})) == (dropins, environment)


def is_changing(host: Host, status: UnitStatus) -> bool:
    """Whether a plan changes a file that the unit is started from, or a link to one."""
    files = (status.fragment_path, *status.dropins, *status.environment_files)
    names = (name for path in files if path for name in _names_of(host, path))
    return any(map(host.files.is_planned, names)) or bool(_planned(host, status.unit))


def _names_of(host: Host, path: str) -> Iterator[str]:
    """`path`, each link to it and above it, and what it is once that is resolved."""
    for _ in range(MOST_LINKS):
        yield path
        links = (one for one in (*ancestors_top_down(path), path) if _is_link(host, one))
        link = next(links, None)
        if link is None:
            return
        yield link
        target = join(dirname(link), host.files.readlink(link))
        path = normpath(target + path.removeprefix(link))


def _is_link(host: Host, path: str) -> bool:
    found = host.files.stat(path)
    return found is not None and found.kind == "symlink"


def read_record(host: Host, name: str) -> dict[str, Any]:
    """The record of a start in the state file `name`; {} where it cannot be used."""
    try:
        record = json.loads(host.state.read(name) or b"{}")
    except ValueError:
        # It only adds precision: without it, the times decide.
        return {}
    return record if isinstance(record, dict) else {}


def _record_name(unit: str) -> str:
    return f"started/{unit}.json"


def _digest(host: Host, path: str) -> str:
    return f"sha256:{hashlib.sha256(host.files.read(path)).hexdigest()}"


def _digests(host: Host, paths: Iterable[str]) -> dict[str, str]:
    there = (path for path in paths if host.files.stat(path, follow=True))
    return {path: _digest(host, path) for path in there}


def _dropins(host: Host, status: UnitStatus) -> tuple[str, ...]:
    return tuple(sorted({*status.dropins, *_planned(host, status.unit)}))


def _planned(host: Host, unit: str) -> list[str]:
    """The drop-ins of the unit that a plan writes or removes."""
    folders = (f"{above}/{unit}.d" for above in UNIT_DIRECTORIES)
    return [
        join(folder, name)
        for folder in folders
        for name in sorted(host.files.planned_names(folder))
        if name.endswith(".conf")
    ]


def _is_older(host: Host, status: UnitStatus) -> bool:
    if status.needs_daemon_reload or not status.fragment_path:
        return True
    there = (path for path in status.environment_files if host.files.stat(path, follow=True))
    files = (status.fragment_path, *_dropins(host, status), *there)
    return (status.started_at or 0.0) < max(_changed_at(host, path) for path in files)


def _changed_at(host: Host, path: str) -> float:
    """The mtime of `path` in seconds since the epoch; now where a plan turns a link to it.

    Also where it does not exist.
    """
    found = host.files.stat(path, follow=True)
    links = (name for name in _names_of(host, path) if host.files.is_planned(name))
    if found is None or any(_is_link(host, name) for name in links):
        return time.time()
    return found.mtime_ns / NS_PER_S
