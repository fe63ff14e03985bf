"""A drift check at regular times: the texts of its units, or of its cron file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from reconcile.dataclass import dataclass
from reconcile.errors import ReconcileError

HEADER = "# Managed by reconcile (reconcile schedule). Changes by hand are lost."
SERVICE, TIMER = "reconcile-drift.service", "reconcile-drift.timer"
CRON_FILE = "/etc/cron.d/reconcile-drift"
CALENDAR = re.compile(r"[A-Za-z0-9*:,./~ -]{1,80}")
# What a unit file, a shell and cron all take as nothing but itself.
PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")


@dataclass(frozen=True)
class Schedule:
    """`command` is what is run, absolute; `every` a systemd calendar expression."""

    command: tuple[str, ...]
    every: str
    writes: tuple[str, ...]
    heal: bool = False
    delay_s: int = 300
    minute: int = 0
    """Of the hour, for cron, which knows no random delay."""

    @property
    def units(self) -> dict[str, str]:
        """Name → text."""
        return {SERVICE: _service(self), TIMER: _timer(self)}

    @property
    def cron(self) -> str:
        """The file in cron.d. Errors: ReconcileError for a time that cron cannot say."""
        times = {"hourly": f"{self.minute} * * * *", "daily": f"{self.minute} 4 * * *"}
        if self.every not in times:
            raise ReconcileError(
                f"cron is not told to run {self.every!r}",
                "there is no systemd on this host",
                "Say --every hourly or daily. Nothing was changed.",
            )
        command = " ".join(part.replace("%", r"\%") for part in self.command)
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return f"{HEADER}\n{path}\n{times[self.every]} root {command}\n"


def checked(command: Sequence[str], every: str) -> tuple[str, ...]:
    """`command`, where each part means itself in a unit file and in a shell.

    Errors: ReconcileError.
    """
    for part in command:
        if not PLAIN.fullmatch(part):
            raise ReconcileError(
                f"{part!r} cannot stand in a schedule",
                "it has blanks or signs with a meaning",
                "Use a path without them; put addresses to notify in a file: --notify @FILE.",
            )
    if not CALENDAR.fullmatch(every):
        raise ReconcileError(f"{every!r} is no time", "", "Say hourly, daily or *:0/15.")
    return tuple(command)


def in_utc(told: str) -> str:
    """A time as systemd tells it in UTC, as we tell it; "" for anything else."""
    try:
        return datetime.strptime(told, "%a %Y-%m-%d %H:%M:%S UTC").strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return ""


def _service(of: Schedule) -> str:
    """Read-only but for its own folders; what heals has to be able to write what it manages."""
    command = " ".join(part.replace("%", "%%") for part in of.command)
    confined = () if of.heal else _confined(of.writes)
    lines = (
        HEADER,
        "[Unit]",
        "Description=Compare this host with its reconcile.yaml" + (", and mend drift" * of.heal),
        "Documentation=man:systemd.timer(5)",
        "After=network.target",
        "",
        "[Service]",
        "Type=oneshot",
        f"ExecStart={command}",
        "Nice=10",
        "IOSchedulingClass=idle",
        "UMask=0077",
        "TimeoutStartSec=15min",
        "NoNewPrivileges=yes",
        "LockPersonality=yes",
        "RestrictRealtime=yes",
        "KeyringMode=private",
        *confined,
    )
    return "\n".join(lines) + "\n"


def _confined(writes: Sequence[str]) -> tuple[str, ...]:
    return (
        "ProtectSystem=strict",
        "ProtectHome=read-only",
        "ProtectKernelTunables=yes",
        "ProtectKernelModules=yes",
        "ProtectKernelLogs=yes",
        "ProtectControlGroups=yes",
        "ProtectClock=yes",
        "ProtectHostname=yes",
        "PrivateDevices=yes",
        "RestrictSUIDSGID=yes",
        "SystemCallArchitectures=native",
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6",
        *(f"ReadWritePaths={path}" for path in writes),
    )


def _timer(of: Schedule) -> str:
    lines = (
        HEADER,
        "[Unit]",
        "Description=Compare this host with its reconcile.yaml regularly",
        "",
        "[Timer]",
        f"OnCalendar={of.every}",
        f"RandomizedDelaySec={of.delay_s}",
        "AccuracySec=1s",
        "Persistent=yes",
        f"Unit={SERVICE}",
        "",
        "[Install]",
        "WantedBy=timers.target",
    )
    return "\n".join(lines) + "\n"
