"""The last lines that the present run of a unit has logged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconcile.errors import ReconcileError
from reconcile.system.logs import tail
from reconcile.system.services import require_unit_name

if TYPE_CHECKING:
    from reconcile.doctor.units import UnitView
    from reconcile.system import Host

LOG_BYTES = 256 << 10
"""How much of a log file is read, from its end."""
JOURNAL_LINES = 400


def read_journal(host: Host, unit: UnitView) -> tuple[str, ...]:
    """The last lines that a unit's present run has logged, oldest first."""
    if host.settings.service_manager == "process":
        return tail(f"{host.settings.state_dir}/log/{require_unit_name(unit.name)}.log", LOG_BYTES)
    return _journal(host, unit)


def journal_since(host: Host, unit: UnitView, since_s: float) -> tuple[str, ...]:
    """The last lines that a unit has logged since a time, in seconds since the epoch."""
    return _journal(host, unit, f"--since=@{int(since_s)}")


def _journal(host: Host, unit: UnitView, *options: str) -> tuple[str, ...]:
    run = unit.properties.get("InvocationID")
    if not run or host.commands.find("journalctl") is None:
        return ()
    _require_readable(host, unit)
    done = host.commands.run(
        (
            "journalctl",
            "--quiet",
            "--no-pager",
            "--output=cat",
            f"--lines={JOURNAL_LINES}",
            *options,
            f"_SYSTEMD_INVOCATION_ID={run}",
        ),
        timeout_s=10,
    )
    return tuple(done.stdout.splitlines())


def _require_readable(host: Host, unit: UnitView) -> None:
    """Raise ReconcileError without access to the journal: journalctl then shows an empty one."""
    patterns = ("/run/log/journal/*/system.journal", "/var/log/journal/*/system.journal")
    journals = [path for pattern in patterns for path in host.files.glob(pattern)]
    me = host.accounts.current
    if journals and not any(host.files.access(path, me).can_read for path in journals):
        raise ReconcileError(
            what=f"The journal of {unit.name} cannot be read",
            why=f"{me.name} is in none of its groups (systemd-journal, adm). Run it with sudo.",
        )
