"""A modelled systemd and nginx: real files, and processes that only know what they have read.

Each process remembers the digests of the files that it was started from, so a test can see
whether what runs is what lies on the disk.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path

import pytest

from reconcile import system
from reconcile.errors import ReconcileError
from reconcile.impact import plan_impact
from reconcile.nginx.running import discover, loaded_config, reload
from reconcile.nginx.running.config_test import ConfigTest, NginxError
from reconcile.nginx.running.discover import NginxInstallation
from reconcile.nginx.running.listen_check import ListenCheck
from reconcile.nginx.running.loaded_config import RunningNginx
from reconcile.resources import nginx_live, service
from reconcile.system import Host, lock
from reconcile.system.processes import ProcessIdentity
from reconcile.system.services import ServiceFailed, UnitStatus, require_unit_name, start_record
from reconcile.system.services import unit_files as unit_files_module
from reconcile.system.services.service_undo import record_active, record_enabled
from reconcile.system.services.start_record import forget_start, record_start, started_from

NGINX = "nginx.service"
BUILD = (
    "nginx version: nginx/1.22.1\n"
    "configure arguments: --prefix=/usr/share/nginx --with-http_gzip_static_module"
)
Digests = Mapping[str, str]


@dataclass(frozen=True)
class Process:
    """One run of a unit: its number, when it began, and what it has read."""

    number: int
    started_at: float
    files: Digests


@dataclass
class ModelledSystemd:
    """Unit files in `folder`; `run` has the processes, `read` what daemon-reload has read."""

    folder: str
    nginx_config: str
    run: dict[str, Process] = field(default_factory=dict)
    enabled: set[str] = field(default_factory=set)
    read: dict[str, bytes] = field(default_factory=dict)
    started: int = 0

    def of(self, host: Host) -> Services:
        """The service manager of `host`."""
        return Services(host, self)

    def begin(self, unit: str, files: Digests) -> None:
        """Start a new process of `unit`, which has read `files`."""
        # Later than the files, also where the filesystem's clock is coarse.
        time.sleep(0.005)
        self.started += 1
        self.run[unit] = Process(self.started, time.time(), files)

    def daemon_reload(self) -> None:
        """Read all unit files and drop-ins."""
        self.read = {
            os.path.join(folder, name): Path(folder, name).read_bytes()
            for folder, _, names in os.walk(self.folder)
            for name in names
        }

    def load(self, unit: str) -> None:
        """Read the files of a unit that no daemon-reload has met, as systemd does when asked."""
        if f"{self.folder}/{unit}" not in self.read:
            self.read |= {path: Path(path).read_bytes() for path in self.paths_of(unit)}

    def outdated(self, host: Host) -> dict[str, tuple[Digests, Digests]]:
        """Each unit whose process has read other files than those on the disk: both."""
        now = {unit: self.files_now(unit, host) for unit in self.run}
        return {
            unit: (process.files, now[unit])
            for unit, process in self.run.items()
            if process.files != now[unit]
        }

    def files_now(self, unit: str, host: Host) -> Digests:
        """What a process of `unit` would read, were it started now."""
        if unit == NGINX:
            tree = NginxInstallation(host).tree
            return {path: _digest(file.data) for path, file in tree.files.items()}
        units = {path: _digest(Path(path).read_bytes()) for path in self.paths_of(unit)}
        return units | self.environment_of(unit)

    def paths_of(self, unit: str) -> list[str]:
        """The unit file and the drop-ins on the disk."""
        path, dropins = Path(self.folder, unit), Path(self.folder, f"{unit}.d")
        found = [path] if path.is_file() else []
        return [*map(str, found), *sorted(map(str, dropins.glob("*.conf")))]

    def environment_of(self, unit: str) -> Digests:
        """The environment files of the unit that exist."""
        return {
            path: _digest(Path(path).read_bytes())
            for path in environment_files(self.read.get(f"{self.folder}/{unit}", b""))
            if os.path.isfile(path)
        }


def environment_files(unit: bytes) -> tuple[str, ...]:
    """The paths of the `EnvironmentFile=` lines of a unit file."""
    lines = unit.decode().splitlines()
    named = (line.partition("=")[2] for line in lines if line.startswith("EnvironmentFile="))
    return tuple(name.removeprefix("-") for name in named)


class Services:
    """The part of systemd's that reconcile uses. See `ServiceManager`."""

    runs_services = True
    has_boot = True

    def __init__(self, host: Host, systemd: ModelledSystemd) -> None:
        self._host, self._systemd = host, systemd

    def prefetch(self, units: Sequence[str]) -> None:
        """Nothing to do."""

    def status(self, unit: str) -> UnitStatus:
        self._systemd.load(unit)
        path, process = self.unit_path(unit), self._systemd.run.get(unit)
        on_disk = self._systemd.paths_of(unit)
        text = self._systemd.read.get(path, b"")
        status = UnitStatus(
            unit,
            loaded=unit == NGINX or path in on_disk,
            enabled=unit in self._systemd.enabled or (False if b"[Install]" in text else None),
            fragment_path=path if path in on_disk else "",
            dropins=tuple(name for name in on_disk if name != path),
            environment_files=environment_files(text),
            needs_daemon_reload=any(
                self._systemd.read.get(name) != Path(name).read_bytes() for name in on_disk
            ),
        )
        if unit == NGINX:
            status = replace(status, enabled=unit in self._systemd.enabled)
        if process is None:
            return status
        return replace(
            status,
            loaded=True,
            active=True,
            main_pid=process.number,
            started_at=process.started_at,
            invocation=str(process.number),
            state="active (running)",
        )

    def started_from(self, status: UnitStatus) -> str | None:
        return started_from(self._host, status)

    def remember_start(self, unit: str) -> None:
        record_start(self._host, self.status(unit))

    def start(self, unit: str) -> None:
        record_active(self._host, self.status(unit))
        if unit not in self._systemd.run:
            self._begin(unit)

    def restart(self, unit: str) -> None:
        """As systemd: a service that requires a socket is restarted with it."""
        service = f"{unit.removesuffix('.socket')}.service"
        text = self._systemd.read.get(f"{self._systemd.folder}/{service}", b"")
        is_bound = f"Requires={unit}".encode() in text
        ran = is_bound and self._systemd.run.pop(service, None) is not None
        self._begin(unit)
        if ran:
            self._begin(service)

    def reload(self, unit: str) -> None:
        assert unit in self._systemd.run
        self._begin(unit)

    def stop(self, unit: str) -> None:
        record_active(self._host, self.status(unit))
        self._systemd.run.pop(unit, None)

    def enable(self, unit: str) -> None:
        status = self.status(unit)
        record_enabled(self._host, status)
        if status.enabled is not None:
            self._systemd.enabled.add(unit)

    def disable(self, unit: str) -> None:
        record_enabled(self._host, self.status(unit))
        self._systemd.enabled.discard(unit)

    def daemon_reload(self) -> None:
        self._systemd.daemon_reload()

    def forget(self, unit: str) -> None:
        forget_start(self._host, unit)

    def check_start(self, unit: str) -> None:
        """Nothing to do."""

    def log_tail(self, unit: str) -> str:
        return ""

    def unit_path(self, name: str) -> str:
        return f"{self._systemd.folder}/{require_unit_name(name)}"

    def _begin(self, unit: str) -> None:
        self._refuse_socket(unit)
        forget_start(self._host, unit)
        if not self.status(unit).loaded:
            raise ServiceFailed(f"{unit} does not exist")
        if unit == NGINX:
            self._systemd.begin(unit, self._systemd.files_now(unit, self._host))
            return
        # As systemd: from the unit files that it has read, and the environment that it reads now.
        own = f"{self._systemd.folder}/{unit}"
        units = {
            path: _digest(data)
            for path, data in self._systemd.read.items()
            if path == own or path.startswith(f"{own}.d/")
        }
        self._systemd.begin(unit, units | self._systemd.environment_of(unit))

    def _refuse_socket(self, unit: str) -> None:
        """As systemd, and a service that gets a socket although it is to listen by itself."""
        name, _, kind = unit.rpartition(".")
        text = self._systemd.read.get(f"{self._systemd.folder}/{name}.service", b"")
        if kind == "socket" and f"{name}.service" in self._systemd.run:
            raise ServiceFailed(f"{unit}: its service runs already")
        if kind != "service":
            return
        needs_socket = f"Requires={name}.socket".encode() in text
        has_socket = f"{name}.socket" in self._systemd.run
        if has_socket and not needs_socket:
            raise ServiceFailed(f"{unit} gets the socket of {name}.socket")
        if needs_socket and not has_socket:
            self._systemd.run.pop(unit, None)
            self._begin(f"{name}.socket")


class _Running(RunningNginx):
    """Workers of the model: their start is that of the process."""

    started: float = 0.0

    @property
    def oldest_start_s(self) -> float | None:
        return self.started


@contextmanager
def modelled(systemd: ModelledSystemd, protection: str) -> Iterator[None]:
    """Put this systemd, and an nginx that it runs, in the place of the machine's."""

    def find_running(nginx: NginxInstallation) -> RunningNginx | None:
        process = systemd.run.get(NGINX)
        if process is None:
            return None
        worker = ProcessIdentity(process.number, process.number, "boot")
        running = _Running(process.number, (worker,))
        object.__setattr__(running, "started", process.started_at)
        return running

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(system, "select_manager", systemd.of)
        patch.setattr(system, "PROTECTION", protection)
        patch.setattr(lock, "RUN", f"{protection}.lock")
        for module in (unit_files_module, start_record, service):
            patch.setattr(module, "UNIT_DIRECTORIES", (systemd.folder,))
        patch.setattr(service, "STABLE_S", 0.0)
        for module in (nginx_live, plan_impact, reload, loaded_config):
            patch.setattr(module, "find_running", find_running)
        for module in (plan_impact, reload):
            patch.setattr(module, "check_listens", lambda tree, pid: ListenCheck())
        patch.setattr("reconcile.nginx.running.listen_check.check_listens", _no_listens)
        patch.setattr(reload, "_wait_for_tokens", lambda nginx, deadline: None)
        patch.setattr(discover, "_build_text", lambda commands, binary: BUILD)
        patch.setattr(ConfigTest, "run", _refuse_what_cannot_be_read)
        yield


def _no_listens(tree: object, master_pid: int) -> ListenCheck:
    return ListenCheck()


def _refuse_what_cannot_be_read(stage: ConfigTest) -> tuple[NginxError | None, tuple[str, ...]]:
    try:
        stage.read()
    except ReconcileError as error:
        return NginxError(error.why), ()
    return None, ()


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()[:16]
