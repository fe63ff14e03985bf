"""The service manager `none`, for image builds: units are enabled for a boot, and none runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partialmethod
from typing import TYPE_CHECKING

from reconcile.errors import ReconcileError
from reconcile.system.services import ServiceFailed, UnitStatus, require_unit_name
from reconcile.system.services.service_undo import record_enabled
from reconcile.system.services.systemd import ENABLED_STATES
from reconcile.system.services.unit_files import UNIT_DIRECTORY

if TYPE_CHECKING:
    from reconcile.system import Host
    from reconcile.system.commands import CompletedCommand


class NoServices:
    """`systemctl --root`, where it is installed. See `ServiceManager`."""

    runs_services = False

    def __init__(self, host: Host) -> None:
        self._host = host

    @property
    def has_boot(self) -> bool:
        """Whether systemctl is installed, which enables units."""
        return self._host.commands.find("systemctl") is not None

    def prefetch(self, units: Sequence[str]) -> None:
        """Do nothing: `status` reads files."""

    def status(self, unit: str) -> UnitStatus:
        """Whether the unit file exists and is enabled; `active` is None."""
        if not self.has_boot:
            return UnitStatus(require_unit_name(unit), loaded=False, active=None, state="skipped")
        state = self._systemctl("is-enabled", unit).stdout.strip()
        return UnitStatus(
            unit=unit,
            loaded=state not in ("", "not-found"),
            active=None,
            enabled=ENABLED_STATES.get(state),
            masked=state.startswith("masked"),
            state=f"skipped: nothing runs while an image is built ({state or 'not-found'})",
        )

    def started_from(self, status: UnitStatus) -> str | None:  # noqa: ARG002
        """None: no process runs."""
        return None

    def remember_start(self, unit: str) -> None:
        """Do nothing: no process runs."""

    def daemon_reload(self) -> None:
        """Do nothing: no manager has read the unit files."""

    def forget(self, unit: str) -> None:
        """Do nothing: no failures are recorded."""

    def check_start(self, unit: str) -> None:
        """Do nothing: no process runs."""

    def log_tail(self, unit: str) -> str:  # noqa: ARG002
        """Nothing: no process runs."""
        return ""

    def unit_path(self, name: str) -> str:
        """The path below /etc/systemd/system."""
        return f"{UNIT_DIRECTORY}/{require_unit_name(name)}"

    def _change_boot(self, verb: str, unit: str) -> None:
        record_enabled(self._host, self.status(unit))
        done = self._systemctl(verb, unit)
        if not done.ok or self.status(unit).enabled != (verb == "enable"):
            raise ServiceFailed(f"systemctl {verb} {unit} failed", done.error_output)

    def _systemctl(self, verb: str, unit: str) -> CompletedCommand:
        # With --root, systemctl reads and writes links only and needs no running systemd.
        return self._host.commands.run(
            ("systemctl", "--root=/", verb, "--", require_unit_name(unit))
        )

    def _refuse(self, verb: str, unit: str) -> None:
        raise ReconcileError(
            what=f"Cannot {verb} {unit}",
            why="host.service_manager is none: an image is being built, and no service runs in it",
            fix="Set host.service_manager to systemd or process where services run.",
        )

    start = partialmethod(_refuse, "start")
    stop = partialmethod(_refuse, "stop")
    restart = partialmethod(_refuse, "restart")
    reload = partialmethod(_refuse, "reload")
    enable = partialmethod(_change_boot, "enable")
    disable = partialmethod(_change_boot, "disable")
