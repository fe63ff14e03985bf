"""Whether the services of the file run, with the end of the log of one that does not."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from reconcile.engine.model import Check
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import in_one_line

if TYPE_CHECKING:
    from reconcile.system import Host

LINES_SHOWN = 5


def check_services(units: Iterable[str], host: Host) -> tuple[Check, ...]:
    """One check for each unit; nothing where no service can run."""
    if not host.services.runs_services:
        return ()
    return tuple(_check(unit, host) for unit in units)


def _check(unit: str, host: Host) -> Check:
    name = f"service:{unit}"
    try:
        status = host.services.status(unit)
        if status.active:
            return Check(name, "pass")
        lines = host.services.log_tail(unit).splitlines()[-LINES_SHOWN:]
        log = f"; its log ends: {' | '.join(lines)}" if lines else ""
        return Check(name, "fail", status.state + log)
    except (ReconcileError, OSError) as error:
        return Check(name, "unknown", in_one_line(error))
