"""No service manager at all: an image is being built. Units can be enabled for its boot only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reconcile.errors import ReconcileError
from reconcile.system.services import ServiceFailed, UnitStatus, require_unit_name
from reconcile.system.services.service_undo import record_enabled
from reconcile.system.services.systemd import ENABLED_STATES, UNIT_DIRECTORY

if TYPE_CHECKING:
    from reconcile.system import Host
    from reconcile.system.commands import CompletedCommand


class NoServices:
    """`systemctl` without a systemd to talk to, where it is installed. See `ServiceManager`."""

    runs_services = False

    def __init__(self, host: Host) -> None:
        self._host = host

    @property
    def has_boot(self) -> bool:
        return self._host.commands.find("systemctl") is not None

    def prefetch(self, units: Sequence[str]) -> None:
        """Nothing to save: each answer is read from files."""

    def status(self, unit: str) -> UnitStatus:
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
        return None

    def remember_start(self, unit: str) -> None:
        """Nothing runs."""

    def start(self, unit: str) -> None:
        self._refuse("start", unit)

    def stop(self, unit: str) -> None:
        self._refuse("stop", unit)

    def restart(self, unit: str) -> None:
        self._refuse("restart", unit)

    def reload(self, unit: str) -> None:
        self._refuse("reload", unit)

    def enable(self, unit: str) -> None:
        self._change_boot("enable", unit)

    def disable(self, unit: str) -> None:
        self._change_boot("disable", unit)

    def daemon_reload(self) -> None:
        """Nobody has read the unit files yet."""

    def forget(self, unit: str) -> None:
        """Nobody remembers failures."""

    def unit_path(self, name: str) -> str:
        return f"{UNIT_DIRECTORY}/{require_unit_name(name)}"

    def _change_boot(self, verb: str, unit: str) -> None:
        record_enabled(self._host, self.status(unit))
        done = self._systemctl(verb, unit)
        if not done.ok or self.status(unit).enabled != (verb == "enable"):
            raise ServiceFailed(f"systemctl {verb} {unit} failed", done.error_output)

    def _systemctl(self, verb: str, unit: str) -> CompletedCommand:
        # With --root systemctl reads and writes links only and asks no running systemd.
        return self._host.commands.run(
            ("systemctl", "--root=/", verb, "--", require_unit_name(unit))
        )

    def _refuse(self, verb: str, unit: str) -> None:
        raise ReconcileError(
            what=f"Cannot {verb} {unit}",
            why="host.service_manager is none: an image is being built and nothing runs in it",
            fix="Set host.service_manager to systemd or process where services run.",
        )
