"""The service manager `systemd`: one call of systemctl reads all units."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from reconcile.errors import ReconcileError
from reconcile.system.services import (
    ServiceFailed,
    UnitStatus,
    require_unit_name,
    start_failure_fix,
)
from reconcile.system.services.service_undo import record_active, record_enabled
from reconcile.system.services.start_check import (
    RUNTIME_FOLDER,
    check_failed,
    check_name,
    check_text,
)
from reconcile.system.services.start_record import forget_start, record_start, started_from
from reconcile.system.services.started_code import forget_code
from reconcile.system.services.systemctl import Properties, show
from reconcile.system.services.triggers import is_triggered
from reconcile.system.services.unit_files import UNIT_DIRECTORY
from reconcile.system.services.waiting import wait_until_active

if TYPE_CHECKING:
    from reconcile.system import Host
    from reconcile.system.commands import CompletedCommand

PROPERTIES = (
    *("LoadState", "ActiveState", "SubState", "Result", "UnitFileState", "MainPID"),
    *("ExecMainStartTimestamp", "ActiveEnterTimestamp", "NeedDaemonReload", "FragmentPath"),
    *("DropInPaths", "EnvironmentFiles", "InvocationID", "TriggeredBy"),
)
# Longer than the TimeoutStartSec of each unit that reconcile writes; systemd's default is 90 s.
JOB_TIMEOUT_S = 120.0
# Reading a whole host takes less; a prefetched status that is older is out of date.
FRESH_S = 2.0
JOURNAL_LINES = 20
JOURNAL_LINE_WIDTH = 300
# Whether a unit in that UnitFileState starts at boot; units in other states cannot be enabled.
ENABLED_STATES = {
    "enabled": True,
    "enabled-runtime": False,
    "linked": False,
    "linked-runtime": False,
    "disabled": False,
    "indirect": False,
    "masked": False,
    "masked-runtime": False,
}


class Systemd:
    """The systemd of this machine. See `ServiceManager`."""

    runs_services = True
    has_boot = True

    def __init__(self, host: Host) -> None:
        self._host = host
        self._read: dict[str, UnitStatus] = {}
        self._read_at = 0.0

    def prefetch(self, units: Sequence[str]) -> None:
        """Read all `units` in one call; the next `status` of each uses it within FRESH_S."""
        wanted = list(dict.fromkeys(units))
        if wanted:
            self._read = dict(zip(wanted, self._show(wanted), strict=True))
            self._read_at = time.monotonic()

    def status(self, unit: str) -> UnitStatus:
        """The prefetched status, once; else that of `systemctl show`."""
        read = self._read.pop(unit, None)
        if read and time.monotonic() - self._read_at < FRESH_S:
            return read
        return next(iter(self._show([unit])))

    def started_from(self, status: UnitStatus) -> str | None:
        """By the record of this run, else by comparing its start with the files' times."""
        return started_from(self._host, status)

    def remember_start(self, unit: str) -> None:
        """Record the digests of the files that the running process was started from."""
        record_start(self._host, self.status(unit))

    def start(self, unit: str) -> None:
        """Clear the unit's failures and start it; returns once it stays active."""
        record_active(self._host, self.status(unit))
        self._start("start", unit)

    def restart(self, unit: str) -> None:
        """Clear the unit's failures and restart it; returns once it stays active."""
        self._start("restart", unit)

    def check_start(self, unit: str) -> None:
        """Run its ExecStartPre in a unit of its own, which has its sandbox."""
        status = self.status(unit)
        files, name = self._host.files, check_name(unit)
        dropins = (os.fsdecode(files.read(path)) for path in status.dropins)
        text = check_text(os.fsdecode(files.read(status.fragment_path)), dropins)
        if not text:
            return
        path = f"{RUNTIME_FOLDER}/{name}"
        files.write(path, os.fsencode(text), uid=0, gid=0, mode=0o644)
        try:
            self.daemon_reload()
            self._job("start", name)
        except ServiceFailed as failed:
            raise check_failed(unit, failed.why) from None
        finally:
            files.unlink(path)
            self.daemon_reload()
            self._systemctl("reset-failed", name)

    def stop(self, unit: str) -> None:
        """Stop the unit; returns when systemd's job is done."""
        record_active(self._host, self.status(unit))
        self._job("stop", unit)

    def reload(self, unit: str) -> None:
        """Run the unit's ExecReload; returns when systemd's job is done."""
        self._job("reload", unit)

    def enable(self, unit: str) -> None:
        """Create the links of the unit's [Install] section."""
        record_enabled(self._host, self.status(unit))
        done = self._job("enable", unit)
        if not self.status(unit).enabled:
            raise ServiceFailed(
                what=f"{unit} was not enabled",
                why=done.error_output if done.stderr else "its unit file has no [Install] section",
                fix=f"Check its unit file: systemctl cat {unit}",
            )

    def disable(self, unit: str) -> None:
        """Remove the links of the unit's [Install] section."""
        record_enabled(self._host, self.status(unit))
        self._job("disable", unit)

    def daemon_reload(self) -> None:
        """Make systemd read all unit files again."""
        done = self._systemctl("daemon-reload")
        if not done.ok:
            raise ReconcileError("systemctl daemon-reload failed", done.error_output)

    def forget(self, unit: str) -> None:
        """Clear the unit's failures and the record of its start."""
        # Fails where there is no failure to clear.
        self._systemctl("reset-failed", require_unit_name(unit))
        forget_start(self._host, unit)
        forget_code(self._host, unit)

    def log_tail(self, unit: str) -> str:
        """The last lines of its journal."""
        return self._journal(require_unit_name(unit), 0.0)

    def unit_path(self, name: str) -> str:
        """The path below /etc/systemd/system."""
        return f"{UNIT_DIRECTORY}/{require_unit_name(name)}"

    def _start(self, verb: str, unit: str) -> None:
        # systemd does not start a unit that failed too often until its failures are cleared.
        self.forget(unit)
        since = time.time()
        self._job(verb, unit)
        wait_until_active(self, unit, lambda: self._journal(unit, since))

    def _job(self, verb: str, unit: str) -> CompletedCommand:
        """Run `systemctl VERB UNIT`, which waits for its job. Errors: ServiceFailed."""
        since = time.time()
        done = self._systemctl(verb, require_unit_name(unit))
        if done.ok:
            return done
        raise ServiceFailed(
            what=f"systemctl {verb} {unit} failed",
            why=self._journal(unit, since) or done.error_output,
            fix=start_failure_fix(self.status(unit)),
        )

    def _systemctl(self, *words: str) -> CompletedCommand:
        self._read.clear()
        return self._host.commands.run(
            ("systemctl", "--no-ask-password", *words), timeout_s=JOB_TIMEOUT_S
        )

    def _show(self, units: Sequence[str]) -> Iterator[UnitStatus]:
        names, commands = [require_unit_name(unit) for unit in units], self._host.commands
        for name, shown in zip(names, show(commands, PROPERTIES, names), strict=True):
            status = unit_status(name, shown)
            is_enabled = shown["UnitFileState"] == "static" and is_triggered(commands, name, shown)
            yield replace(status, enabled=True) if is_enabled else status

    def _journal(self, unit: str, since: float) -> str:
        """The unit's last log lines since then, bounded; "" where no journal can be read."""
        if self._host.commands.find("journalctl") is None:
            return ""
        # The last lines of a program may reach the journal after it has ended.
        self._host.commands.run(("journalctl", "--sync"))
        # Without --reverse, --lines counts from --since on and leaves the last lines out.
        done = self._host.commands.run(
            (
                "journalctl",
                "--quiet",
                "--no-pager",
                "--output=cat",
                "--reverse",
                f"--lines={JOURNAL_LINES}",
                f"--since=@{since:.6f}",
                f"--unit={unit}",
            )
        )
        lines = reversed(done.stdout.splitlines())
        return "\n".join(line[:JOURNAL_LINE_WIDTH] for line in lines)


def unit_status(unit: str, properties: Properties) -> UnitStatus:
    """The status of `unit` by its properties."""
    stamps = (properties.get(n) for n in ("ExecMainStartTimestamp", "ActiveEnterTimestamp"))
    running_since = next(filter(None, stamps), "")
    active = properties["ActiveState"] in ("active", "reloading", "refreshing")
    return UnitStatus(
        unit=unit,
        loaded=properties["LoadState"] != "not-found",
        active=active,
        enabled=ENABLED_STATES.get(properties["UnitFileState"]),
        main_pid=int(properties.get("MainPID") or 0),
        started_at=_epoch_seconds(running_since) if active else None,
        invocation=properties.get("InvocationID", "") if active else "",
        needs_daemon_reload=properties["NeedDaemonReload"] == "yes",
        fragment_path=properties["FragmentPath"],
        dropins=tuple(properties["DropInPaths"].split()),
        environment_files=_environment_files(properties.get("EnvironmentFiles", "")),
        masked=properties["LoadState"] == "masked",
        state=_state(properties),
    )


def _environment_files(text: str) -> tuple[str, ...]:
    """The paths of lines such as `/etc/app.env (ignore_errors=no)`."""
    return tuple(line.rpartition(" (")[0] for line in text.splitlines() if line)


def _state(properties: Properties) -> str:
    """The state in systemd's words, as `systemctl status` prints it."""
    if properties["LoadState"] != "loaded":
        return properties["LoadState"]
    active = properties["ActiveState"]
    details = dict.fromkeys((properties["SubState"], properties.get("Result", "success")))
    detail = ", ".join(word for word in details if word not in (active, "success"))
    return f"{active} ({detail})" if detail else active


def _epoch_seconds(stamp: str) -> float | None:
    """Seconds since the epoch of "Sun 2026-11-22 14:53:02.541481 UTC"; None for ""."""
    if not stamp:
        return None
    _, date, clock, _ = stamp.split()
    return datetime.fromisoformat(f"{date}T{clock}+00:00").timestamp()
