"""A sandbox without systemd: we start the processes ourselves and write down which they are."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from typing import TYPE_CHECKING

from reconcile.errors import ReconcileError
from reconcile.system.processes import started_at
from reconcile.system.services import ServiceFailed, UnitStatus
from reconcile.system.services.nginx_process import NGINX, nginx_status, start_nginx
from reconcile.system.services.program import start_program
from reconcile.system.services.running import digest_of, end, read_running, read_text
from reconcile.system.services.sandbox import Sandbox
from reconcile.system.services.undo import tell_active
from reconcile.system.services.waiting import wait_until_active

if TYPE_CHECKING:
    from reconcile.system import Host

NGINX_STOP = ((signal.SIGQUIT, 5.0), (signal.SIGTERM, 5.0))
STOP = ((signal.SIGTERM, 35.0),)


class ProcessManager:
    """Unit files in state_dir/units, their processes in state_dir/run. See `ServiceManager`."""

    runs_services = True
    has_boot = False

    def __init__(self, host: Host) -> None:
        self._host = host
        self._sandbox = Sandbox(host.settings.state_dir)

    def prefetch(self, units: Sequence[str]) -> None:
        """Nothing to save: each answer is a look at a file and at /proc."""

    def status(self, unit: str) -> UnitStatus:
        if unit == NGINX:
            return nginx_status(self._host)
        path = self.unit_path(unit)
        text = read_text(path)
        running = read_running(self._sandbox.record_path(unit))
        if running is None or not running.alive:
            return UnitStatus(
                unit=unit,
                loaded=text is not None,
                fragment_path=path if text is not None else "",
                state="inactive (dead)",
            )
        return UnitStatus(
            unit=unit,
            loaded=True,
            active=True,
            main_pid=running.pid,
            started_at=started_at(running.pid),
            needs_daemon_reload=running.digest != digest_of(text or ""),
            fragment_path=path if text is not None else "",
            state="active (running)",
        )

    def started_from(self, status: UnitStatus) -> str | None:
        running = read_running(self._sandbox.record_path(status.unit))
        return running.digest if running and running.alive else None

    def remember_start(self, unit: str) -> None:
        """It is written down with every start."""

    def start(self, unit: str) -> None:
        before = self.status(unit)
        tell_active(self._host, before)
        if not before.active:
            self._bring_up(unit)

    def stop(self, unit: str) -> None:
        before = self.status(unit)
        tell_active(self._host, before)
        self._bring_down(before)

    def restart(self, unit: str) -> None:
        self._bring_down(self.status(unit))
        self._bring_up(unit)

    def reload(self, unit: str) -> None:
        status = self.status(unit)
        if not status.active:
            raise ServiceFailed(f"{unit} cannot be reloaded", "it is not running", "Start it.")
        os.kill(status.main_pid, signal.SIGHUP)

    def enable(self, unit: str) -> None:
        self._refuse_boot("enable", unit)

    def disable(self, unit: str) -> None:
        self._refuse_boot("disable", unit)

    def daemon_reload(self) -> None:
        """Unit files are read anew whenever they are needed."""

    def forget(self, unit: str) -> None:
        """Failures are not remembered."""

    def unit_path(self, name: str) -> str:
        return self._sandbox.unit_path(name)

    def _bring_up(self, unit: str) -> None:
        self._sandbox.make()
        log_from = self._sandbox.log_size(unit)
        try:
            if unit == NGINX:
                start_nginx(self._host, self._sandbox)
            else:
                start_program(self._host, self._sandbox, unit)
            wait_until_active(self, unit, lambda: self._sandbox.last_words(unit, log_from))
        except ServiceFailed:
            self._bring_down(self.status(unit))
            raise

    def _bring_down(self, status: UnitStatus) -> None:
        if status.active:
            end(status.main_pid, NGINX_STOP if status.unit == NGINX else STOP)

    def _refuse_boot(self, verb: str, unit: str) -> None:
        raise ReconcileError(
            what=f"Cannot {verb} {unit}",
            why="host.service_manager is process: nothing here starts at boot",
            fix="Leave that to the host's own service manager.",
        )
