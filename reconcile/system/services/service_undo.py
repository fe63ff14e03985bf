"""Undo records of changes to services.

A started or enabled unit is stopped or disabled in its turn, while its unit file still exists;
what was stopped or disabled, and what ran from an older unit file, once that file is restored.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, ClassVar, Self

from reconcile.dataclass import dataclass
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import in_one_line
from reconcile.filesystem.undo import Stage, Undo, undo_record
from reconcile.system.services import ServiceFailed, UnitStatus
from reconcile.system.services.triggers import stop_service_of
from reconcile.system.services.waiting import STABLE_S, wait_until_stable

if TYPE_CHECKING:
    from reconcile.system import Host


NOT_RUNNING = "it no longer runs"


@dataclass(frozen=True)
class UnitUndo(Undo):
    """How an effect on a unit is undone."""

    unit: str

    @property
    def affects(self) -> str:
        """The unit."""
        return self.unit

    @property
    def subject(self) -> tuple[str, str]:
        """The unit: how it was before the first of several effects is restored."""
        return self.op, self.unit

    def merge_with(self, later: Self) -> Self:  # noqa: ARG002
        """See `subject`."""
        return self


@undo_record
@dataclass(frozen=True)
class ActiveBefore(UnitUndo):
    """A unit was started or stopped."""

    op: ClassVar[str] = "services.active"
    active: bool

    @property
    def stage(self) -> Stage:
        """It is started from its restored file, and the reverse while its file still exists."""
        return Stage.STARTS if self.active else Stage.IN_TURN

    def remains(self, host: Host) -> str:
        """See `Undo.remains`."""
        status = host.services.status(self.unit)
        if self.active and status.is_stopped:
            return NOT_RUNNING
        return "it still runs" if status.active and not self.active else ""

    def undo(self, host: Host) -> str:
        """Start or stop the unit, unless it is in that state; see `Undo.undo`."""
        services, status = host.services, host.services.status(self.unit)
        if self.active and not status.active:
            started = stop_service_of(services, self.unit)
            return _running(services.start, self.unit) or _running(services.start, started)
        if not self.active and not status.is_stopped:
            services.stop(self.unit)
            services.forget(self.unit)
        return ""


@undo_record
@dataclass(frozen=True)
class EnabledBefore(UnitUndo):
    """A unit was enabled or disabled."""

    op: ClassVar[str] = "services.enabled"
    enabled: bool

    @property
    def stage(self) -> Stage:
        """It is enabled from its restored file, and the reverse while its file still exists."""
        return Stage.STARTS if self.enabled else Stage.IN_TURN

    def remains(self, host: Host) -> str:
        """See `Undo.remains`."""
        is_enabled = bool(host.services.status(self.unit).enabled)
        if is_enabled == self.enabled:
            return ""
        return "it is still enabled" if is_enabled else "it is no longer enabled"

    def undo(self, host: Host) -> str:
        """Enable or disable the unit, unless it is in that state; see `Undo.undo`."""
        if self.enabled == host.services.status(self.unit).enabled:
            return ""
        (host.services.enable if self.enabled else host.services.disable)(self.unit)
        return ""


@undo_record
@dataclass(frozen=True)
class UnitFileBefore(UnitUndo):
    """A unit file was written or removed while this process of the unit ran."""

    op: ClassVar[str] = "services.unit_file"
    active: bool
    main_pid: int
    started_at: float | None

    @property
    def stage(self) -> Stage:
        """Once the unit files are restored."""
        return Stage.UNITS

    def remains(self, host: Host) -> str:
        """See `Undo.remains`."""
        was_running = bool(self.unit) and self.active
        return NOT_RUNNING if was_running and host.services.status(self.unit).is_stopped else ""

    def undo(self, host: Host) -> str:
        """Restart the unit from the restored file, unless the same process still runs."""
        host.services.daemon_reload()
        if not self.unit:
            return ""
        now = host.services.status(self.unit)
        if self.active and (now.main_pid, now.started_at) != (self.main_pid, self.started_at):
            return _running(host.services.restart, self.unit)
        return ""


@undo_record
@dataclass(frozen=True)
class CodeBefore(UnitUndo):
    """A unit was restarted with new code, which nothing here can replace by the old one."""

    op: ClassVar[str] = "services.code"
    folder_of_code: str
    main_pid: int
    started_at: float | None

    @property
    def stage(self) -> Stage:
        """Once the unit files are restored."""
        return Stage.UNITS

    def remains(self, host: Host) -> str:
        """See `Undo.remains`."""
        return NOT_RUNNING if host.services.status(self.unit).is_stopped else ""

    def undo(self, host: Host) -> str:
        """Start the unit where it no longer runs, and report with which code it does."""
        status = host.services.status(self.unit)
        if (status.main_pid, status.started_at) == (self.main_pid, self.started_at):
            return ""
        fix = (
            f"reconcile keeps no copy of its old code; put that back in {self.folder_of_code},"
            " then apply again"
        )
        if status.active:
            return f"{self.unit} runs on with its new code: {fix}"
        try:
            host.services.start(self.unit)
            wait_until_stable(host.services, self.unit, STABLE_S)
        except ReconcileError as error:
            return f"{self.unit} does not run: {error.what}; {fix}"
        return f"{self.unit} runs the code that is in {self.folder_of_code} now: {fix}"


def _running(start: Callable[[str], None], unit: str) -> str:
    """Start `unit`, if any; why it does not run with its restored files, "" where it does.

    That is no reason to refuse every later apply: one of them may bring what it lacks.
    """
    try:
        if unit:
            start(unit)
    except ServiceFailed as error:
        fix = "Remove the cause, then apply again."
        return f"{unit} does not run with its restored files: {in_one_line(error)}. {fix}"
    return ""


def record_active(host: Host, status: UnitStatus) -> None:
    """Record whether the unit runs, before it is started or stopped."""
    if host.recorder:
        host.recorder.record_undo(ActiveBefore(status.unit, bool(status.active)))


def record_enabled(host: Host, status: UnitStatus) -> None:
    """Record whether the unit is enabled, before that changes."""
    if host.recorder:
        host.recorder.record_undo(EnabledBefore(status.unit, bool(status.enabled)))


def record_unit_file(host: Host, unit: str) -> None:
    """Record which process runs, before the unit's file changes; "" for a file of many units."""
    if host.recorder:
        status = host.services.status(unit) if unit else UnitStatus("", loaded=False)
        host.recorder.record_undo(
            UnitFileBefore(status.unit, bool(status.active), status.main_pid, status.started_at)
        )


def record_code(host: Host, status: UnitStatus, folder: str) -> None:
    """Record which process runs, before the unit is restarted with the new code of `folder`."""
    if host.recorder:
        before = CodeBefore(status.unit, folder, status.main_pid, status.started_at)
        host.recorder.record_undo(before)
