"""An apply of a host that still is as the last apply of the same file left it.

What is kept of that file may find that nothing is to be done, as it does for a plan. Whatever
changes the host is planned again, from the file itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconcile.engine.apply import apply
from reconcile.engine.apply_report import discard_event
from reconcile.engine.confirmation import read_pending
from reconcile.engine.history import current_number
from reconcile.engine.host_hold import refuse_held
from reconcile.engine.recovery import unfinished
from reconcile.engine.safety_checks import refuse_unclear
from reconcile.engine.verification import Verification
from reconcile.errors import ReconcileError
from reconcile.system.lock import lock
from reconcile.verify.probe_files import has_recorded_probes
from reconcile.workspace.planning import plan_changes

if TYPE_CHECKING:
    from reconcile.engine.apply_report import Report
    from reconcile.engine.model import Plan
    from reconcile.system import Host
    from reconcile.workspace.kept_workspace import KeptWorkspace

_NOTHING = Verification(tuple, tuple)


def apply_unchanged(workspace: KeptWorkspace, command: str, *, timeout_s: float) -> Report | None:
    """The report of a plan that changes nothing; None where the file itself has to be applied.

    Errors: LockHeld, HoldInForce.
    """
    host = workspace.host
    refuse_held(host.state)
    with lock(host, command, timeout_s=timeout_s):
        refuse_held(host.state)
        if _is_unfinished(host):
            return None
        plan = plan_changes(workspace)
        # What was compiled just now has to be kept, and its probes recorded.
        if workspace.is_compiled or not _is_nothing(plan):
            return None
        return apply(plan, host, _NOTHING, on_event=discard_event, by=workspace.actor(command))


def _is_unfinished(host: Host) -> bool:
    """Whether an earlier apply has left something that an apply begins with, or records."""
    is_waiting = read_pending(host.state) is not None or any(unfinished(host))
    return is_waiting or not has_recorded_probes(host.state, current_number(host.state))


def _is_nothing(plan: Plan) -> bool:
    """Whether there is nothing to change, to refuse, or to prune."""
    try:
        refuse_unclear(plan)
    except ReconcileError:
        return False
    has_releases = any(ref.kind == "release" for ref in plan.desired)
    return not (plan.changes or plan.released or has_releases)
