"""How changes of services are taken back.

Stopping and disabling come in their turn, while a unit file that we wrote still stands; what
ran from an older file is started again afterwards, when that file is back.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from reconcile.filesystem.undo import Undo, undo_record

if TYPE_CHECKING:
    from reconcile.system import Host
    from reconcile.system.services import UnitStatus


@undo_record
@dataclass(frozen=True)
class ActiveBefore(Undo):
    """A unit was started or stopped."""

    op: ClassVar[str] = "services.active"
    unit: str
    active: bool

    def undo(self, host: Host) -> str:
        status = host.services.status(self.unit)
        if self.active and not status.active:
            host.services.start(self.unit)
        if not self.active and not _is_stopped(status):
            host.services.stop(self.unit)
            host.services.forget(self.unit)
        return ""


@undo_record
@dataclass(frozen=True)
class EnabledBefore(Undo):
    """A unit was enabled or disabled."""

    op: ClassVar[str] = "services.enabled"
    unit: str
    enabled: bool

    def undo(self, host: Host) -> str:
        if self.enabled == host.services.status(self.unit).enabled:
            return ""
        (host.services.enable if self.enabled else host.services.disable)(self.unit)
        return ""


@undo_record
@dataclass(frozen=True)
class UnitFileBefore(Undo):
    """A unit file was written or removed while the unit was as told here."""

    op: ClassVar[str] = "services.unit_file"
    run_last: ClassVar[bool] = True
    unit: str
    active: bool
    main_pid: int
    started_at: float | None

    def undo(self, host: Host) -> str:
        host.services.daemon_reload()
        now = host.services.status(self.unit)
        if self.active and (now.main_pid, now.started_at) != (self.main_pid, self.started_at):
            host.services.restart(self.unit)
        return ""


def record_active(host: Host, status: UnitStatus) -> None:
    """Tell the journal, before the unit is started or stopped, what it was."""
    if host.recorder:
        host.recorder.record_undo(ActiveBefore(status.unit, bool(status.active)))


def record_enabled(host: Host, status: UnitStatus) -> None:
    """Tell the journal, before the unit is enabled or disabled, what it was."""
    if host.recorder:
        host.recorder.record_undo(EnabledBefore(status.unit, bool(status.enabled)))


def record_unit_file(host: Host, status: UnitStatus) -> None:
    """Tell the journal, before the unit's file changes, what ran from the present one."""
    if host.recorder:
        host.recorder.record_undo(
            UnitFileBefore(status.unit, bool(status.active), status.main_pid, status.started_at)
        )


def _is_stopped(status: UnitStatus) -> bool:
    """Neither up nor trying: a unit that failed to start may still be started anew by systemd."""
    return not status.active and not status.state.startswith(("activating", "deactivating"))
