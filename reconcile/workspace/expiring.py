"""What happens to an apply that no one confirmed in time."""

from __future__ import annotations

from reconcile.engine.apply_report import EventHandler
from reconcile.engine.confirmation import PendingConfirmation, apply_to_confirm, read_pending
from reconcile.engine.recovery import recover
from reconcile.engine.rollback_plan import plan_rollback
from reconcile.system import Host
from reconcile.system.clock import read_clock
from reconcile.system.lock import lock
from reconcile.workspace.confirming import (
    EXPIRED,
    remove_unit,
    stop_waiting,
    wait_for_deadline,
    workspace_of,
)
from reconcile.workspace.rolling_back import Rollback, roll_back

LOCK_TIMEOUT_S = 86_400.0
"""An apply that still runs at its deadline gets its time anew once it has ended."""


def roll_back_unless_confirmed(host: Host, on_event: EventHandler) -> Rollback | None:
    """Wait, and roll the apply back at its deadline; None where that was not needed.

    Of `host` only the state directory is used: the record has the other settings. The unit that
    runs this removes itself. Errors: ReconcileError; then it has to be tried again.
    """
    while (pending := wait_for_deadline(host.state)) is not None:
        workspace = workspace_of(pending)
        with lock(workspace.host, EXPIRED, timeout_s=LOCK_TIMEOUT_S):
            current = read_pending(host.state)
            if current is None or current.remaining_s(read_clock()):
                continue
            recover(workspace.host, on_event)
            done = _roll_back(current, on_event)
            stop_waiting(workspace.host, from_unit=True)
            return done
    with lock(host, EXPIRED, timeout_s=LOCK_TIMEOUT_S):
        if read_pending(host.state) is None:
            remove_unit(host, from_unit=True)
    return None


def _roll_back(pending: PendingConfirmation, on_event: EventHandler) -> Rollback:
    workspace = workspace_of(pending)
    state = workspace.host.state
    if apply_to_confirm(state, pending) is None:
        return Rollback()
    applies = plan_rollback(state, pending.number - 1).applies
    return roll_back(workspace, applies, EXPIRED, on_event=on_event)
