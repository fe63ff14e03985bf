"""Who runs services here: systemd, ourselves in a sandbox, or nobody while an image is built."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from reconcile.dataclass import dataclass
from reconcile.errors import ReconcileError

if TYPE_CHECKING:
    from reconcile.system import Host

UNIT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_.\\@-]*\.(service|socket|timer|target|path|mount)")


class ServiceFailed(ReconcileError):
    """A unit did not get into the state that it was asked for."""


@dataclass(frozen=True)
class UnitStatus:
    """How a unit stands.

    `active` is None where nothing can run (an image), `enabled` None where there is nothing to
    enable (a static unit, no boot). `started_at` is in seconds since the epoch. `invocation` is
    systemd's own name for this one run of the unit. `state` says all of it in the service
    manager's words.
    """

    unit: str
    loaded: bool
    active: bool | None = False
    enabled: bool | None = None
    main_pid: int = 0
    started_at: float | None = None
    invocation: str = ""
    needs_daemon_reload: bool = False
    fragment_path: str = ""
    dropins: tuple[str, ...] = ()
    masked: bool = False
    state: str = "inactive"


class ServiceManager(Protocol):
    """What a service manager can be asked and told; starting and stopping return when done.

    Errors: ServiceFailed with the unit's last words as why; ReconcileError where the manager
    itself does not answer. Every change tells the journal of an apply first how to undo it.
    """

    @property
    def runs_services(self) -> bool:
        """Whether anything can be started here."""

    @property
    def has_boot(self) -> bool:
        """Whether enabling means anything here."""

    def prefetch(self, units: Sequence[str]) -> None:
        """Read all `units` at once; `status` answers each of them once from that."""

    def status(self, unit: str) -> UnitStatus: ...

    def started_from(self, status: UnitStatus) -> str | None:
        """The digest of the unit file that what runs was started from.

        None where nobody can tell but that it was not the present one.
        """

    def remember_start(self, unit: str) -> None:
        """Keep what `started_from` says now, whatever becomes of the file while this run lasts."""

    def start(self, unit: str) -> None: ...

    def stop(self, unit: str) -> None: ...

    def restart(self, unit: str) -> None: ...

    def reload(self, unit: str) -> None: ...

    def enable(self, unit: str) -> None: ...

    def disable(self, unit: str) -> None: ...

    def daemon_reload(self) -> None:
        """Have unit files read anew."""

    def forget(self, unit: str) -> None:
        """Drop what is remembered of the failures of a unit that is gone."""

    def unit_path(self, name: str) -> str:
        """Where our own unit file of that name belongs."""


def service_manager(host: Host) -> ServiceManager:
    """The service manager that the host's settings name."""
    name = host.settings.service_manager
    if name == "systemd":
        from reconcile.system.services.systemd import Systemd

        return Systemd(host)
    if name == "process":
        from reconcile.system.services.process.manager import ProcessManager

        return ProcessManager(host)
    from reconcile.system.services.none import NoServices

    return NoServices(host)


def require_unit_name(unit: str) -> str:
    """`unit`, if it is a plain unit name: no pattern, no option, no path."""
    if UNIT_NAME.fullmatch(unit):
        return unit
    raise ReconcileError(
        what=f"{unit!r} is no name of a unit",
        why="a unit is called like gunicorn.service: letters, digits, : _ . @ - and its type",
        fix="Correct the name in the YAML. Nothing was changed.",
    )


def start_failure_fix(status: UnitStatus) -> str:
    """What to do about a unit that does not start, by how it stands."""
    if not status.loaded:
        return (
            f"Install what brings {status.unit}, correct its name in the YAML, or have reconcile"
            " write the unit: app.gunicorn."
        )
    if status.masked:
        return f"systemctl unmask {status.unit}, if it may run again."
    return f"Mend what it complains of; more by: journalctl -u {status.unit}"
