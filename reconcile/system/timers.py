"""Installs and removes units of this program's own, and cron.d files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import explained
from reconcile.filesystem.user_files import write_user_file
from reconcile.system.services.systemctl import parse_show
from reconcile.system.services.unit_files import UNIT_DIRECTORY

if TYPE_CHECKING:
    from reconcile.system import Host

READABLE = 0o644


def write_file(path: str, text: str, header: str) -> None:
    """Write a file that starts with `header`, over such a file only. Errors: HostError."""
    own_header = header.encode()
    write_user_file(
        path, text.encode(), mode=READABLE, replaceable=lambda old: old.startswith(own_header)
    )


def remove_file(path: str, header: str) -> bool:
    """Remove a file that starts with `header`; False where it is absent. Errors: ReconcileError."""
    with explained(f"{path} could not be removed"):
        try:
            with open(path, "rb") as file:
                is_own = file.read(len(header)) == header.encode()
        except FileNotFoundError:
            return False
        if not is_own:
            raise ReconcileError(
                f"{path} was not removed", "reconcile did not write it", "Remove it by hand."
            )
        os.unlink(path)
    return True


def refuse_unknown_time(host: Host, every: str) -> None:
    """Raise ReconcileError for an invalid calendar expression."""
    done = host.commands.run(("systemd-analyze", "calendar", "--", every))
    if not done.ok:
        raise ReconcileError(
            f"{every!r} is not a calendar expression",
            done.error_output,
            "Use hourly, daily or *:0/15. Nothing was changed.",
        )


def install(host: Host, units: Mapping[str, str], header: str, timer: str) -> None:
    """Write the units and start the timer. Errors: ReconcileError."""
    for name, text in units.items():
        write_file(f"{UNIT_DIRECTORY}/{name}", text, header)
    _run_systemctl(host, "daemon-reload")
    _run_systemctl(host, "enable", timer)
    # A running timer uses its new schedule only after a restart.
    _run_systemctl(host, "restart", timer)


def remove(host: Host, units: Sequence[str], header: str, timer: str, *, stop: bool = True) -> bool:
    """Stop the timer and remove the units; False where there were none.

    Without `stop` what runs goes on: a unit that removes itself.
    """
    there = [name for name in units if os.path.lexists(f"{UNIT_DIRECTORY}/{name}")]
    if timer in there:
        _run_systemctl(host, "disable", *(["--now"] if stop else []), timer)
    dropped = [remove_file(f"{UNIT_DIRECTORY}/{name}", header) for name in there]
    if there:
        _run_systemctl(host, "daemon-reload")
    return any(dropped)


def unit_properties(host: Host, unit: str, *properties: str) -> dict[str, str]:
    """The properties of a unit in systemd's words, times in UTC."""
    asked = ("show", f"--property={','.join(properties)}", unit)
    # systemd 252 ignores --timestamp=utc here.
    done = host.commands.run(("env", "TZ=UTC", "systemctl", *asked))
    return next(parse_show(done.stdout))


def _run_systemctl(host: Host, *arguments: str) -> None:
    done = host.commands.run(("systemctl", *arguments))
    if not done.ok:
        raise ReconcileError(
            f"systemctl {' '.join(arguments)} failed",
            done.error_output,
            f"See: systemctl status {arguments[-1]}",
        )
