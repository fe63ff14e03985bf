"""Starts the processes of units itself, and records which they are."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial, partialmethod
from typing import TYPE_CHECKING

from reconcile.errors import ReconcileError
from reconcile.system.logs import LogPosition
from reconcile.system.processes import identity, started_at
from reconcile.system.services import ServiceFailed, UnitStatus, require_unit_name
from reconcile.system.services.process import nginx
from reconcile.system.services.process.environment_file import parse_environment
from reconcile.system.services.process.launcher import NotReady, run_checks, spawn, start
from reconcile.system.services.process.record import (
    digest_of,
    end,
    record_this_process,
    running_record,
)
from reconcile.system.services.process.unit_file import Program, environment_files, parse
from reconcile.system.services.service_undo import record_active
from reconcile.system.services.start_check import check_failed
from reconcile.system.services.started_code import forget_code
from reconcile.system.services.waiting import wait_until_active

if TYPE_CHECKING:
    from reconcile.system import Host

NGINX_STOP = ((signal.SIGQUIT, 5.0), (signal.SIGTERM, 5.0))
STOP = ((signal.SIGTERM, 35.0),)
LOG_TAIL_BYTES = 4096


class ProcessManager:
    """Unit files in state_dir/units, their processes in state_dir/run. See `ServiceManager`."""

    runs_services = True
    has_boot = False

    def __init__(self, host: Host) -> None:
        self._host = host
        self._folder = host.settings.state_dir

    def prefetch(self, units: Sequence[str]) -> None:
        """Do nothing: `status` reads a file and /proc."""

    def status(self, unit: str) -> UnitStatus:
        """By the unit file and the record of its process."""
        if unit == nginx.UNIT:
            return nginx.status(self._host)
        text, record = self._unit_file(unit), running_record(self._host.state, unit)
        status = UnitStatus(
            unit=unit,
            loaded=text is not None,
            fragment_path=self.unit_path(unit) if text is not None else "",
            environment_files=environment_files(text or b""),
            state="inactive (dead)",
        )
        if record is None:
            return status
        return replace(
            status,
            loaded=True,
            active=True,
            main_pid=record.pid,
            started_at=started_at(record.pid),
            invocation=record.run,
            needs_daemon_reload=record.digest != digest_of(text or b""),
            state="active (running)",
        )

    def started_from(self, status: UnitStatus) -> str | None:
        """The digest in the record of the process, if its environment files are unchanged."""
        record = running_record(self._host.state, status.unit)
        now = self._environment_digests(self._unit_file(status.unit) or b"")
        return record.digest if record and record.environment == now else None

    def remember_start(self, unit: str) -> None:
        """Do nothing: each start writes the record."""

    def start(self, unit: str) -> None:
        """Start the unit's program, unless it runs; returns once it stays active."""
        before = self.status(unit)
        record_active(self._host, before)
        if not before.active:
            self._start(unit)

    def check_start(self, unit: str) -> None:
        """Run the commands that precede its program."""
        text = self._unit_file(unit) or b""
        program = parse(unit, os.fsdecode(text), runtime_root=f"{self._folder}/run")
        log = LogPosition.at_end_of(f"{self._folder}/log/{require_unit_name(unit)}.log")
        try:
            run_checks(self._host, self._with_environment_files(unit, program), log.path)
        except NotReady:
            raise check_failed(unit, _new_log_text(log)) from None

    def stop(self, unit: str) -> None:
        """Signal the unit's process, and kill it where it does not end in time."""
        before = self.status(unit)
        record_active(self._host, before)
        self._stop(before)

    def restart(self, unit: str) -> None:
        """Stop the unit and start it from its present file."""
        self._stop(self.status(unit))
        self._start(unit)

    def reload(self, unit: str) -> None:
        """Send SIGHUP to the unit's process."""
        status = self.status(unit)
        if not status.active:
            raise ServiceFailed(f"{unit} cannot be reloaded", "it is not running", "Start it.")
        os.kill(status.main_pid, signal.SIGHUP)

    def daemon_reload(self) -> None:
        """Do nothing: unit files are read whenever they are needed."""

    def forget(self, unit: str) -> None:
        """Remove the record of the code that it was started from."""
        forget_code(self._host, unit)

    def log_tail(self, unit: str) -> str:
        """The end of its log file."""
        found = self._host.state.read(f"log/{require_unit_name(unit)}.log")
        return os.fsdecode((found or b"")[-LOG_TAIL_BYTES:]).strip()

    def unit_path(self, name: str) -> str:
        """The path below the state directory."""
        return f"{self._folder}/units/{require_unit_name(name)}"

    def _unit_file(self, unit: str) -> bytes | None:
        return self._host.state.read(f"units/{require_unit_name(unit)}")

    def _start(self, unit: str) -> None:
        for folder in ("", "/run", "/log"):
            os.makedirs(self._folder + folder, mode=0o700, exist_ok=True)
        log = LogPosition.at_end_of(f"{self._folder}/log/{require_unit_name(unit)}.log")
        try:
            start_it = self._start_nginx if unit == nginx.UNIT else self._start_program
            start_it(unit, log)
            wait_until_active(self, unit, lambda: _new_log_text(log))
        except (NotReady, ServiceFailed) as failed:
            self._stop(self.status(unit))
            if isinstance(failed, ServiceFailed):
                raise
            raise ServiceFailed(
                what=f"{unit} did not start",
                why=_new_log_text(log) or "it logged nothing",
                fix=f"Fix this error; its log is {log.path}",
            ) from None

    def _start_program(self, unit: str, log: LogPosition) -> None:
        text = self._unit_file(unit)
        if text is None:
            raise ServiceFailed(
                what=f"{unit} cannot be started",
                why=f"{self.unit_path(unit)} does not exist",
                fix="Declare app.gunicorn in the YAML, or remove app.service.",
            )
        run = f"{self._folder}/run"
        program = parse(unit, os.fsdecode(text), runtime_root=run)
        if program.runtime_directory:
            os.makedirs(f"{run}/{program.runtime_directory}", mode=0o700, exist_ok=True)
        environment = self._environment_digests(text)
        record = partial(record_this_process, self._host.state, unit, digest_of(text), environment)
        program = self._with_environment_files(unit, program)
        start(self._host, program, log.path, record)

    def _with_environment_files(self, unit: str, program: Program) -> Program:
        environment = dict(program.environment)
        for path in program.environment_files:
            found = self._host.files.content(path.removeprefix("-"))
            if found is not None:
                environment |= parse_environment(os.fsdecode(found[1]))
            elif not path.startswith("-"):
                raise ServiceFailed(
                    what=f"{unit} cannot be started",
                    why=f"its environment file {path} does not exist",
                    fix="Create it, or correct environment_file in the YAML.",
                )
        return replace(program, environment=environment)

    def _environment_digests(self, text: bytes) -> dict[str, str]:
        """The digest of each environment file of a unit that exists."""
        found = {path: self._host.files.content(path) for path in environment_files(text)}
        return {path: digest_of(one[1]) for path, one in found.items() if one is not None}

    def _start_nginx(self, _: str, log: LogPosition) -> None:
        """Return once its master has written its pid. Errors: NotReady."""
        program = Program(nginx.command(self._host, f"{self._folder}/log/nginx.error.log"))
        pid = spawn(self._host, program, log.path, lambda: None)
        deadline = time.monotonic() + nginx.START_TIMEOUT_S
        while not nginx.master(self._host):
            is_gone = identity(pid) is None
            if is_gone:
                # The launched process ends before the daemon has written its pid.
                deadline = min(deadline, time.monotonic() + nginx.PID_FILE_TIMEOUT_S)
            if (is_gone and "[emerg]" in _new_log_text(log)) or time.monotonic() > deadline:
                raise NotReady
            time.sleep(0.02)

    def _stop(self, status: UnitStatus) -> None:
        if status.active:
            end(status.main_pid, NGINX_STOP if status.unit == nginx.UNIT else STOP)

    def _refuse_boot(self, verb: str, unit: str) -> None:
        raise ReconcileError(
            what=f"Cannot {verb} {unit}",
            why="host.service_manager is process: it starts no services at boot",
            fix="Enable it in the host's own service manager.",
        )

    enable = partialmethod(_refuse_boot, "enable")
    disable = partialmethod(_refuse_boot, "disable")


def _new_log_text(log: LogPosition) -> str:
    """The end of the lines that were logged since."""
    return os.fsdecode(log.read_new()[-LOG_TAIL_BYTES:]).strip()
