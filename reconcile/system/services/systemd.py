"""systemd, by `systemctl`: one call reads all units; every change waits until it holds."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from reconcile.errors import ReconcileError
from reconcile.system.services import (
    ServiceFailed,
    UnitStatus,
    require_unit_name,
    start_failure_fix,
)
from reconcile.system.services.service_undo import record_active, record_enabled
from reconcile.system.services.start_record import forget_start, record_start, started_from
from reconcile.system.services.systemctl import Properties, show
from reconcile.system.services.waiting import wait_until_active

if TYPE_CHECKING:
    from reconcile.system import Host
    from reconcile.system.commands import CompletedCommand

UNIT_DIRECTORY = "/etc/systemd/system"
PROPERTIES = (
    *("LoadState", "ActiveState", "SubState", "Result", "UnitFileState", "MainPID"),
    *("ExecMainStartTimestamp", "ActiveEnterTimestamp", "NeedDaemonReload", "FragmentPath"),
    *("DropInPaths", "InvocationID"),
)
# Longer than any TimeoutStartSec of the units that we write; systemd's own default is 90 s.
JOB_TIMEOUT_S = 120.0
# One observation of everything takes less; what was not asked for by then is out of date.
FRESH_S = 2.0
JOURNAL_LINES = 20
JOURNAL_LINE_WIDTH = 300
# What a unit file's [Install] has to say to a boot; other states can't be enabled at all.
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
    """The system's own systemd. See `ServiceManager`."""

    runs_services = True
    has_boot = True

    def __init__(self, host: Host) -> None:
        self._host = host
        self._read: dict[str, UnitStatus] = {}
        self._read_at = 0.0

    def prefetch(self, units: Sequence[str]) -> None:
        wanted = list(dict.fromkeys(units))
        if wanted:
            self._read = dict(zip(wanted, self._show(wanted), strict=True))
            self._read_at = time.monotonic()

    def status(self, unit: str) -> UnitStatus:
        read = self._read.pop(unit, None)
        if read and time.monotonic() - self._read_at < FRESH_S:
            return read
        return next(iter(self._show([unit])))

    def started_from(self, status: UnitStatus) -> str | None:
        return started_from(self._host, status)

    def remember_start(self, unit: str) -> None:
        record_start(self._host, self.status(unit))

    def start(self, unit: str) -> None:
        record_active(self._host, self.status(unit))
        self._start("start", unit)

    def restart(self, unit: str) -> None:
        # Nothing to tell: the process that ended can't be brought back, only its unit file.
        self._start("restart", unit)

    def stop(self, unit: str) -> None:
        record_active(self._host, self.status(unit))
        self._job("stop", unit)

    def reload(self, unit: str) -> None:
        self._job("reload", unit)

    def enable(self, unit: str) -> None:
        record_enabled(self._host, self.status(unit))
        done = self._job("enable", unit)
        if not self.status(unit).enabled:
            raise ServiceFailed(
                what=f"{unit} was not enabled",
                why=done.error_output if done.stderr else "its unit file has no [Install] section",
                fix=f"Look at it with: systemctl cat {unit}",
            )

    def disable(self, unit: str) -> None:
        record_enabled(self._host, self.status(unit))
        self._job("disable", unit)

    def daemon_reload(self) -> None:
        done = self._systemctl("daemon-reload")
        if not done.ok:
            raise ReconcileError("systemd did not read its unit files anew", done.error_output)

    def forget(self, unit: str) -> None:
        # Fails where nothing is remembered, and then there is nothing to forget.
        self._systemctl("reset-failed", require_unit_name(unit))
        forget_start(self._host, unit)

    def unit_path(self, name: str) -> str:
        return f"{UNIT_DIRECTORY}/{require_unit_name(name)}"

    def _start(self, verb: str, unit: str) -> None:
        # A unit that failed too often is not even tried until its failures are forgotten.
        self.forget(unit)
        since = time.time()
        self._job(verb, unit)
        wait_until_active(self, unit, lambda: self._journal(unit, since))

    def _job(self, verb: str, unit: str) -> CompletedCommand:
        """Have systemd do `verb`; returns when it is done. Errors: ServiceFailed."""
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
        names = [require_unit_name(unit) for unit in units]
        shown = show(self._host.commands, PROPERTIES, names)
        return (unit_status(*one) for one in zip(names, shown, strict=True))

    def _journal(self, unit: str, since: float) -> str:
        """The unit's last words since then, bounded; empty where there are none to be had."""
        if self._host.commands.find("journalctl") is None:
            return ""
        # The last lines of a program may still be on its way to the journal when it has ended.
        self._host.commands.run(("journalctl", "--sync"))
        # Forwards, --lines would count from --since on and leave the last words out.
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
        masked=properties["LoadState"] == "masked",
        state=_state(properties),
    )


def _state(properties: Properties) -> str:
    """All of it in systemd's words, as `systemctl status` has them."""
    if properties["LoadState"] != "loaded":
        return properties["LoadState"]
    active = properties["ActiveState"]
    details = dict.fromkeys((properties["SubState"], properties.get("Result", "success")))
    detail = ", ".join(word for word in details if word not in (active, "success"))
    return f"{active} ({detail})" if detail else active


def _epoch_seconds(stamp: str) -> float | None:
    """Seconds since the epoch of a stamp like "Sun 2026-11-22 14:53:02.541481 UTC"."""
    from datetime import datetime

    if not stamp:
        return None
    _, date, clock, _ = stamp.split()
    return datetime.fromisoformat(f"{date}T{clock}+00:00").timestamp()
