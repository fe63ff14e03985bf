"""What `systemctl show` reports: the properties of units, read by one call."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from reconcile.errors import ReconcileError

if TYPE_CHECKING:
    from reconcile.system.commands import Commands

Properties = dict[str, str]


def has_systemd() -> bool:
    """Whether systemd runs this machine. Source: sd_booted(3)."""
    return os.path.isdir("/run/systemd/system")


def show(
    commands: Commands, properties: Sequence[str], units: Sequence[str]
) -> Iterator[Properties]:
    """The properties of each unit (or of each that a pattern matches) in systemd's words.

    Errors: ReconcileError where systemd does not answer.
    """
    wanted = f"--property={','.join(properties)}"
    done = commands.run(
        ("systemctl", "show", "--no-pager", "--all", "--timestamp=us+utc", wanted, "--", *units)
    )
    if not done.ok:
        fix = "If systemd does not run here, set host.service_manager to process or none."
        if not has_systemd():
            # The fix is lost where the error becomes a reading that failed.
            why = "host.service_manager can be process or none instead"
            raise ReconcileError("systemd does not run here", why, fix)
        raise ReconcileError("systemctl show failed", done.error_output, fix)
    return parse_show(done.stdout)


def parse_show(text: str) -> Iterator[Properties]:
    """Parse one block for each unit, in the requested order.

    Source: systemctl(1): lines NAME=VALUE; an empty line separates units.
    """
    for block in text.strip("\n").split("\n\n"):
        properties: Properties = {}
        for line in block.splitlines():
            name, sign, value = line.partition("=")
            # A socket has one Listen= line for each address.
            if sign:
                properties[name] = f"{properties[name]}\n{value}" if name in properties else value
        yield properties
