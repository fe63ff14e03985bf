"""`apply --confirm`: what is on the disk before the first effect, and what ends the waiting."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from reconcile.config.load import load_bytes
from reconcile.engine.confirmation import (
    PendingConfirmation,
    apply_to_confirm,
    pending_from,
    read_pending,
    remove_pending,
    write_pending,
)
from reconcile.engine.history import last_row
from reconcile.engine.recovery import unfinished
from reconcile.errors import ReconcileError
from reconcile.gitops.confirm_unit import HEADER, UNIT, confirm_unit
from reconcile.system import Host, HostSettings, timers
from reconcile.system.clock import read_clock
from reconcile.system.program import own_program
from reconcile.system.program_trust import refuse_open_program
from reconcile.system.services.systemctl import has_systemd
from reconcile.workspace import Workspace

if TYPE_CHECKING:
    from reconcile.engine.apply_report import Report
    from reconcile.engine.model import Plan
    from reconcile.filesystem.state_dir import StateDir

POLL_S = 1.0
EXPIRED = "reconcile confirm (not confirmed in time)"
"""The command of a rollback at the deadline, as the history records it."""
_NOTHING_CHANGED = "Nothing was changed."


def apply_until_confirmed(
    workspace: Workspace, plan: Plan, command: str, allowed_s: int, run: Callable[[], Report]
) -> Report:
    """What `run`, which applies `plan`, returns, with the deadline of its confirmation.

    Deadline, number and unit are on the disk before it is called. Errors: those of `run`;
    ReconcileError where the plan cannot be rolled back, or nothing here could do that.
    """
    host = workspace.host
    pending = _start_waiting(workspace, plan, command, allowed_s)
    try:
        report = run()
    except ReconcileError:
        if not unfinished(host):
            # It was refused before the first change.
            stop_waiting(host)
        raise
    if report.result in ("applied", "failed"):
        return replace(report, confirm_by=_restart_time(host, pending))
    stop_waiting(host)
    return report


def _start_waiting(
    workspace: Workspace, plan: Plan, command: str, allowed_s: int
) -> PendingConfirmation:
    host = workspace.host
    refuse_unconfirmable(plan, host)
    number, settings = workspace.ledger.serial + 1, asdict(host.settings)
    pending = pending_from(number, workspace.user, command, allowed_s, settings, read_clock())
    write_pending(host.state, pending)
    try:
        _start_unit(host)
    except ReconcileError:
        stop_waiting(host)
        raise
    return pending


def _restart_time(host: Host, pending: PendingConfirmation) -> str:
    """The deadline, which counts from the end of the apply where that can be recorded."""
    restarted = pending.restarted(read_clock())
    try:
        write_pending(host.state, restarted)
    except ReconcileError:
        return pending.deadline
    return restarted.deadline


def confirm(host: Host) -> PendingConfirmation:
    """Keep the apply; the caller holds the lock. Errors: ReconcileError where it is too late."""
    pending = read_pending(host.state)
    if pending is None:
        raise ReconcileError(
            "No apply waits for confirmation",
            _why_none(host),
            f"See `reconcile history`. {_NOTHING_CHANGED}",
        )
    if not pending.remaining_s(read_clock()):
        raise ReconcileError(
            f"Apply #{pending.number} can no longer be confirmed",
            f"the time to confirm ended at {pending.deadline}: it is being rolled back",
            f"See `reconcile history`, then apply again. {_NOTHING_CHANGED}",
        )
    if apply_to_confirm(host.state, pending) is None:
        stop_waiting(host)
        raise ReconcileError(
            f"Apply #{pending.number} did not finish, so there is nothing to keep",
            "it was interrupted, and rolled back",
            "See `reconcile history`, then apply again.",
        )
    stop_waiting(host)
    return pending


def stop_waiting(host: Host, *, from_unit: bool = False) -> None:
    """Remove the record and the unit, which runs this itself where `from_unit`."""
    remove_pending(host.state)
    remove_unit(host, from_unit=from_unit)


def remove_unit(host: Host, *, from_unit: bool = False) -> None:
    """Remove the unit, if any, which runs this itself where `from_unit`."""
    if has_systemd():
        timers.remove(host, (UNIT,), HEADER, UNIT, stop=not from_unit)


def stop_waiting_if_undone(host: Host) -> None:
    """The same where the apply is no longer in force."""
    pending = read_pending(host.state)
    if pending is not None and apply_to_confirm(host.state, pending) is None:
        stop_waiting(host)


def wait_for_deadline(state: StateDir) -> PendingConfirmation | None:
    """Return the apply whose time is over, None once nothing has to be confirmed."""
    while (pending := read_pending(state)) is not None:
        left_s = pending.remaining_s(read_clock())
        if not left_s:
            break
        time.sleep(min(left_s, POLL_S))
    return pending


def workspace_of(pending: PendingConfirmation) -> Workspace:
    """The host as it was configured for the apply, without a YAML, which may be gone."""
    settings: dict[str, Any] = dict(pending.host)
    return Workspace(load_bytes(b"version: 1", "reconcile.yaml"), Host(HostSettings(**settings)))


def _why_none(host: Host) -> str:
    last = last_row(host.state)
    if last is not None and last.entry.by.command == EXPIRED:
        return f"it was not confirmed in time, and was rolled back at {last.entry.at}"
    return "none was made with --confirm, or it was confirmed or rolled back since"


def _start_unit(host: Host) -> None:
    state_dir = os.path.abspath(host.state.make_directory())
    command = (*own_program(), "confirm", "--or-roll-back", "--state-dir", state_dir)
    timers.install(host, {UNIT: confirm_unit(command, state_dir)}, HEADER, UNIT)


def refuse_unconfirmable(plan: Plan, host: Host) -> None:
    """Refuse a plan that could not be rolled back. Errors: ReconcileError."""
    _refuse_irreversible(plan)
    _refuse_without_systemd(host)
    refuse_open_program(host.commands, own_program())


def _refuse_irreversible(plan: Plan) -> None:
    steps = [step for change in plan.changes for step in change.subject.irreversible_steps()]
    if steps:
        raise ReconcileError(
            "The plan cannot be rolled back as --confirm promises",
            f"no rollback undoes {', '.join(steps)}",
            f"Apply it without --confirm. {_NOTHING_CHANGED}",
        )


def _refuse_without_systemd(host: Host) -> None:
    if has_systemd() and host.privileged and host.settings.service_manager == "systemd":
        return
    raise ReconcileError(
        "--confirm needs systemd, and root",
        "only a systemd unit can roll back after a reboot or the end of a session",
        f"Apply without --confirm; reconcile rollback undoes it. {_NOTHING_CHANGED}",
    )
