"""Service managers: systemd, a process manager without systemd, or none in an image build."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Protocol

from reconcile.dataclass import dataclass
from reconcile.errors import ReconcileError

UNIT_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9:_.\\@-]*\.(service|socket|timer|target|path|mount)")


class ServiceFailed(ReconcileError):
    """A unit did not reach the requested state."""


@dataclass(frozen=True)
class UnitStatus:
    """The state of a unit.

    `active` is None where nothing can run (an image), `enabled` None where there is nothing to
    enable (a static unit, no boot). `started_at` is in seconds since the epoch. `invocation` is
    systemd's id of this run of the unit. `state` is the whole in the service manager's words.
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
    environment_files: tuple[str, ...] = ()
    masked: bool = False
    state: str = "inactive"

    @property
    def is_stopped(self) -> bool:
        """Whether it neither runs nor starts: systemd may restart a unit that failed to start."""
        return not self.active and not self.state.startswith(("activating", "deactivating"))


class ServiceManager(Protocol):
    """What reads and changes services; each method returns when its change is done.

    Before each change, the journal of an apply gets the record that undoes it.
    Errors: ServiceFailed, whose why is the end of the unit's log; ReconcileError where the
    manager itself fails.
    """

    @property
    def runs_services(self) -> bool:
        """Whether services can run here."""

    @property
    def has_boot(self) -> bool:
        """Whether units can be enabled for a boot here."""

    def prefetch(self, units: Sequence[str]) -> None:
        """Read all `units` in one call; the next `status` of each uses the result."""

    def status(self, unit: str) -> UnitStatus:
        """The present state of `unit`, or the one that `prefetch` has read."""

    def started_from(self, status: UnitStatus) -> str | None:
        """The digest of the unit file that the running process was started from.

        None where that is unknown, except that it was not the present file.
        """

    def remember_start(self, unit: str) -> None:
        """Record what `started_from` returns now, for as long as this run of the unit lasts."""

    def start(self, unit: str) -> None:
        """Start `unit`; returns once it stays active."""

    def check_start(self, unit: str) -> None:
        """Run the checks that precede a start of `unit`, beside the process that runs."""

    def stop(self, unit: str) -> None:
        """Stop `unit`; returns once it is inactive."""

    def restart(self, unit: str) -> None:
        """Stop and start `unit`; returns once it stays active. No record can undo that."""

    def reload(self, unit: str) -> None:
        """Make `unit` read its configuration again, without a restart."""

    def enable(self, unit: str) -> None:
        """Start `unit` at each boot."""

    def disable(self, unit: str) -> None:
        """No longer start `unit` at boot."""

    def daemon_reload(self) -> None:
        """Make the manager read all unit files again."""

    def forget(self, unit: str) -> None:
        """Clear the recorded failures of `unit`."""

    def log_tail(self, unit: str) -> str:
        """The last lines that `unit` logged; "" where there are none."""

    def unit_path(self, name: str) -> str:
        """The path of the unit file that reconcile writes for `name`."""


def require_unit_name(unit: str) -> str:
    """Return `unit`. Errors: ReconcileError where it is a pattern, an option or a path."""
    if UNIT_NAME.fullmatch(unit):
        return unit
    raise ReconcileError(
        what=f"{unit!r} is not a valid unit name",
        why="a unit name is like gunicorn.service: letters, digits, : _ . @ - and its type",
        fix="Correct the name in the YAML. Nothing was changed.",
    )


def start_failure_fix(status: UnitStatus) -> str:
    """The fix for a unit that does not start, by its state."""
    if not status.loaded:
        return (
            f"Install the package of {status.unit}, correct its name in the YAML, or set"
            " app.gunicorn to let reconcile write the unit."
        )
    if status.masked:
        return f"Unmask it if it may run again: systemctl unmask {status.unit}"
    return f"Fix the error in its log: journalctl -u {status.unit}"
