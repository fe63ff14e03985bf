"""The unit files, or the cron file, of a periodic drift check."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from reconcile.dataclass import dataclass
from reconcile.errors import ReconcileError

HEADER = "# Managed by reconcile (reconcile schedule). Changes by hand are lost."
NAME = "reconcile-drift"
CRON_FOLDER = "/etc/cron.d"
CALENDAR = re.compile(r"[A-Za-z0-9*:,./~ -]{1,80}")
# Characters that are literal in a unit file, a shell and cron.
PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]+")


@dataclass(frozen=True)
class ScheduleNames:
    """The files of the schedule of one scope."""

    scope: str = ""

    @property
    def _stem(self) -> str:
        return f"{NAME}-{self.scope}" if self.scope else NAME

    @property
    def service(self) -> str:
        """The service unit."""
        return f"{self._stem}.service"

    @property
    def timer(self) -> str:
        """The timer unit."""
        return f"{self._stem}.timer"

    @property
    def cron_file(self) -> str:
        """The file of cron, which ignores names with a dot."""
        return f"{CRON_FOLDER}/{self._stem.replace('.', '_')}"

    @property
    def notify(self) -> str:
        """The file with the URLs to notify, in the state directory."""
        return f"notify-{self.scope}" if self.scope else "notify"


@dataclass(frozen=True)
class Schedule:
    """A periodic run: `command` starts with an absolute path, `every` is a calendar expression."""

    command: tuple[str, ...]
    every: str
    writes: tuple[str, ...]
    heal: bool = False
    delay_s: int = 300
    minute: int = 0
    """The minute of the hour for cron, which has no random delay."""
    names: ScheduleNames = ScheduleNames()

    @property
    def units(self) -> dict[str, str]:
        """Unit name → text."""
        return {self.names.service: _service(self), self.names.timer: _timer(self)}

    @property
    def cron(self) -> str:
        """The text of the cron.d file. Errors: ReconcileError for an unsupported interval."""
        times = {"hourly": f"{self.minute} * * * *", "daily": f"{self.minute} 4 * * *"}
        if self.every not in times:
            raise ReconcileError(
                f"--every {self.every} is not supported with cron",
                "this host has no systemd",
                "Use --every hourly or daily. Nothing was changed.",
            )
        command = " ".join(part.replace("%", r"\%") for part in self.command)
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        return f"{HEADER}\n{path}\n{times[self.every]} root {command}\n"


def checked_command(command: Sequence[str], every: str) -> tuple[str, ...]:
    """Return `command`, each part of which is literal in a unit file and a shell.

    Errors: ReconcileError.
    """
    for part in command:
        if not PLAIN.fullmatch(part):
            raise ReconcileError(
                f"{part!r} cannot be used in a schedule",
                "it contains spaces or special characters",
                "Use a path without them; put notification URLs into a file: --notify @FILE.",
            )
    if not CALENDAR.fullmatch(every):
        raise ReconcileError(
            f"{every!r} is not a calendar expression", "", "Use hourly, daily or *:0/15."
        )
    return tuple(command)


def to_utc(text: str) -> str:
    """Convert systemd's UTC timestamp to ISO 8601; "" for anything else."""
    try:
        return datetime.strptime(text, "%a %Y-%m-%d %H:%M:%S UTC").strftime("%Y-%m-%dT%H:%M:%SZ")
    except ValueError:
        return ""


def _service(of: Schedule) -> str:
    """The service unit: read-only except for its own folders, unless it heals."""
    command = " ".join(part.replace("%", "%%") for part in of.command)
    confined = () if of.heal else _sandbox_lines(of.writes)
    lines = (
        HEADER,
        "[Unit]",
        "Description=Compare this host with its reconcile.yaml" + (", and revert drift" * of.heal),
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


def _sandbox_lines(writes: Sequence[str]) -> tuple[str, ...]:
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
        "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK",
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
        f"Unit={of.names.service}",
        "",
        "[Install]",
        "WantedBy=timers.target",
    )
    return "\n".join(lines) + "\n"
