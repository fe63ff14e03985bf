"""The configuration that the running workers have loaded."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from hashlib import sha256
from posixpath import dirname, join, normpath
from typing import TYPE_CHECKING

from reconcile.dataclass import dataclass
from reconcile.engine.digest import digest
from reconcile.nginx.render.site_config import is_managed
from reconcile.system.processes import (
    ProcessIdentity,
    identity,
    is_nginx_master,
    started_at,
    started_workers,
)

if TYPE_CHECKING:
    from reconcile.nginx.running.discover import NginxInstallation
    from reconcile.system import Host

STALE = "older than the file"
_RECORD = "nginx-live.json"
_NS_PER_S = 1_000_000_000
_CERTIFICATE_DIRECTIVES = ("ssl_certificate", "ssl_certificate_key")


@dataclass(frozen=True)
class RunningNginx:
    """A running nginx: its master, and the workers that accept connections."""

    master_pid: int
    workers: tuple[ProcessIdentity, ...]

    @property
    def oldest_start_s(self) -> float | None:
        """The start time of the oldest worker, in seconds since the epoch."""
        starts = [started_at(worker.pid) for worker in self.workers]
        known = [start for start in starts if start is not None]
        return min(known) if known and len(known) == len(starts) else None


@dataclass(frozen=True)
class LoadedConfig:
    """The loaded configuration: managed file → digest of its text, or STALE.

    `current` is True where all other files are loaded as they are on the disk.
    """

    serves: Mapping[str, str]
    current: bool

    def matches_disk(self, nginx: NginxInstallation) -> bool:
        """Whether a reload would change nothing."""
        return self.current and dict(self.serves) == managed_on_disk(nginx)


@dataclass(frozen=True)
class _LoadRecord:
    """What these workers were verified to have loaded."""

    config: str
    workers: tuple[ProcessIdentity, ...]
    serves: Mapping[str, str]
    foreign: str


def find_running(nginx: NginxInstallation) -> RunningNginx | None:
    """Find the running nginx by its pid file; None where it does not run."""
    found = nginx.host.files.content(nginx.layout.pid_path)
    text = found[1].strip() if found else b""
    if not text.isdigit() or not is_nginx_master(int(text)):
        return None
    pid = int(text)
    serving = (identity(worker) for worker in started_workers(pid))
    return RunningNginx(pid, tuple(sorted(worker for worker in serving if worker)))


def read_loaded(nginx: NginxInstallation, now: RunningNginx) -> LoadedConfig:
    """What `now` has loaded: the record, if it is about these workers, else by comparing the
    start time of the workers with the change times of the files.

    Kernel start times have a resolution of 10 ms; a tie counts as stale.
    """
    record = _recorded(nginx)
    if record and record.workers == now.workers:
        return LoadedConfig(record.serves, record.foreign == _foreign_digest(nginx))
    start = now.oldest_start_s
    newest = {path: _newest_ctime_s(nginx.host, path) for path in nginx.tree.files}
    serves = {
        real: text if start is not None and newest[loaded] < start else STALE
        for loaded, real, text in _managed(nginx)
        if not nginx.host.files.is_new(real)
    }
    others = (
        _newest_ctime_s(nginx.host, path)
        for path in (*_include_folders(nginx), *_certificates(nginx))
    )
    changed = max([*newest.values(), *others])
    return LoadedConfig(serves, start is not None and changed < start)


def changed_since(nginx: NginxInstallation, now: RunningNginx) -> tuple[str, ...]:
    """The files, certificates and include folders that changed since `now` was started."""
    start = now.oldest_start_s or 0.0
    every = (*nginx.tree.files, *_certificates(nginx), *sorted(_include_folders(nginx)))
    return tuple(path for path in every if _newest_ctime_s(nginx.host, path) >= start)


def foreign_loaded(
    nginx: NginxInstallation, live: LoadedConfig, paths: frozenset[str]
) -> dict[str, str]:
    """The load state of those `paths` that are in the tree and are not managed."""
    wanted = paths - live.serves.keys()
    # A managed file that the record of these workers lacks is not loaded, whatever it holds.
    foreign = ((name, file) for name, file in nginx.tree.files.items() if not is_managed(file.data))
    found = ((nginx.real_path(name), file) for name, file in foreign)
    return {
        real: digest(file.data) if live.current else STALE
        for real, file in (found if wanted else ())
        if real in wanted
    }


def record_loaded(nginx: NginxInstallation, now: RunningNginx) -> None:
    """Record that these workers have loaded the configuration on the disk."""
    record = _LoadRecord(
        nginx.config_path, now.workers, managed_on_disk(nginx), _foreign_digest(nginx)
    )
    nginx.host.state.write(_RECORD, json.dumps(asdict(record)).encode())


def managed_on_disk(nginx: NginxInstallation) -> dict[str, str]:
    """Every managed file in the include tree: real path → digest of its text."""
    return {real: text for _, real, text in _managed(nginx)}


def _managed(nginx: NginxInstallation) -> Iterator[tuple[str, str, str]]:
    for path, file in nginx.tree.files.items():
        if is_managed(file.data):
            yield path, nginx.real_path(path), digest(file.data)


def real_path(host: Host, path: str) -> str:
    """The target of a link in the include tree; other paths are returned unchanged."""
    found = host.files.stat(path)
    if found is None or found.kind != "symlink":
        return path
    return normpath(join(dirname(path), host.files.readlink(path)))


def _foreign_digest(nginx: NginxInstallation) -> str:
    """A digest of all unmanaged files that nginx read; of keys only their metadata."""
    running = sha256()
    for path, file in nginx.tree.files.items():
        if not is_managed(file.data):
            name = path.encode("utf-8", "surrogateescape")
            running.update(b"%d %s %d " % (len(name), name, len(file.data)) + file.data)
    for path in _certificates(nginx):
        found = nginx.host.files.stat(path, follow=True)
        running.update(f"{path} {found and (found.ino, found.size, found.mtime_ns)}".encode())
    return running.hexdigest()


def _newest_ctime_s(host: Host, path: str) -> float:
    name = host.files.stat(path)
    target = host.files.stat(path, follow=True) if name and name.kind == "symlink" else None
    return max((found.ctime_ns for found in (name, target) if found), default=0) / _NS_PER_S


def _include_folders(nginx: NginxInstallation) -> frozenset[str]:
    """The folders of wildcard includes, where an added or removed name changes the result."""
    globs = [include for include in nginx.tree.includes.values() if include.is_glob]
    below = {dirname(path) for include in globs for path in include.paths}
    return frozenset({include.folder for include in globs} | below)


def _certificates(nginx: NginxInstallation) -> tuple[str, ...]:
    """Certificates and keys, which nginx reads when it loads its configuration."""
    named = {d.args[0] for d in nginx.tree.written(*_CERTIFICATE_DIRECTIVES) if d.args}
    files = (
        name for name in named if "$" not in name and not name.startswith(("data:", "engine:"))
    )
    return tuple(sorted(join(nginx.tree.prefix, name) for name in files))


def _recorded(nginx: NginxInstallation) -> _LoadRecord | None:
    data = nginx.host.state.read(_RECORD)
    if data is None:
        return None
    try:
        body = json.loads(data)
        workers_then = tuple(ProcessIdentity(*worker) for worker in body["workers"])
        record = _LoadRecord(body["config"], workers_then, body["serves"], body["foreign"])
    except (ValueError, KeyError, TypeError):
        # The record only saves work: without it, times are compared.
        return None
    return record if record.config == nginx.config_path else None
