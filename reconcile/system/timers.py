"""Regular runs of ours: a systemd timer, or a file of cron's."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import explained
from reconcile.filesystem.user_files import write_user_file

if TYPE_CHECKING:
    from reconcile.system import Host

UNITS = "/etc/systemd/system"
READABLE = 0o644


def has_systemd() -> bool:
    """Whether systemd runs this machine. Source: sd_booted(3)."""
    return os.path.isdir("/run/systemd/system")


def put(path: str, text: str, header: str) -> None:
    """Write a file of ours, never over somebody else's. Errors: HostError."""
    ours = header.encode()
    write_user_file(
        path, text.encode(), mode=READABLE, replaceable=lambda old: old.startswith(ours)
    )


def drop(path: str, header: str) -> bool:
    """Remove a file of ours; whether it was there. Errors: ReconcileError for another's."""
    with explained(f"{path} could not be removed"):
        try:
            with open(path, "rb") as file:
                ours = file.read(len(header)) == header.encode()
        except FileNotFoundError:
            return False
        if not ours:
            raise ReconcileError(f"{path} is not ours", "", "It was not touched.")
        os.unlink(path)
    return True


def refuse_unknown_time(host: Host, every: str) -> None:
    """Errors: ReconcileError for what systemd does not take for a time."""
    done = host.commands.run(("systemd-analyze", "calendar", "--", every))
    if not done.ok:
        raise ReconcileError(
            f"{every!r} is no time that systemd understands",
            done.error_output,
            "Say hourly, daily or *:0/15. Nothing was changed.",
        )


def install(host: Host, units: Mapping[str, str], header: str, timer: str) -> None:
    """Put the units in place and start the timer. Errors: ReconcileError."""
    for name, text in units.items():
        put(f"{UNITS}/{name}", text, header)
    _systemctl(host, "daemon-reload")
    _systemctl(host, "enable", timer)
    # Started anew, so that a timer which runs already goes by its new times.
    _systemctl(host, "restart", timer)


def remove(host: Host, units: Sequence[str], header: str, timer: str) -> bool:
    """Stop the timer and remove the units; whether there were any."""
    there = [name for name in units if os.path.lexists(f"{UNITS}/{name}")]
    if timer in there:
        _systemctl(host, "disable", "--now", timer)
    dropped = [drop(f"{UNITS}/{name}", header) for name in there]
    if there:
        _systemctl(host, "daemon-reload")
    return any(dropped)


def shown(host: Host, unit: str, *properties: str) -> dict[str, str]:
    """What systemd says of a unit, times in UTC."""
    asked = ("show", f"--property={','.join(properties)}", unit)
    # Its --timestamp=utc is not heeded here (252).
    done = host.commands.run(("env", "TZ=UTC", "systemctl", *asked))
    pairs = (line.partition("=") for line in done.stdout.splitlines())
    return {name: value for name, _, value in pairs}


def exists(path: str) -> bool:
    return os.path.lexists(path)


def _systemctl(host: Host, *arguments: str) -> None:
    done = host.commands.run(("systemctl", *arguments))
    if not done.ok:
        raise ReconcileError(
            f"systemctl {' '.join(arguments)} failed",
            done.error_output,
            f"See: systemctl status {arguments[-1]}",
        )
