"""What an apply verifies: the sites before it, once it is done, and after a rollback."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from reconcile.dataclass import dataclass
from reconcile.engine.history import current_number
from reconcile.engine.rollback import RETAINED
from reconcile.engine.verification import Verification
from reconcile.verify.failures_before import NO_FAILURES, FailuresBefore
from reconcile.verify.recorded_probes import forget_probes, record_probes, recorded_probes
from reconcile.workspace.checking import (
    compare_restored,
    failures_now,
    verify_restored,
    verify_sites,
)
from reconcile.workspace.releasing import verify_started

if TYPE_CHECKING:
    from reconcile.engine.model import Check, Plan
    from reconcile.engine.selection import Selection
    from reconcile.workspace import Workspace


@dataclass(frozen=True)
class ApplyVerification:
    """The sites of `plan` that are verified, None for all, and what failed `before` it.

    With `sends_probes` False nothing is sent, and only what is expected is recorded.
    """

    workspace: Workspace
    plan: Plan
    sites: frozenset[str] | None
    before: FailuresBefore
    sends_probes: bool

    @classmethod
    def begin(
        cls, workspace: Workspace, plan: Plan, selection: Selection, *, sends_probes: bool
    ) -> ApplyVerification:
        """Find what fails now, before anything has changed."""
        sites = frozenset(selection.sites) or (_changed_sites(plan) if plan.partial else None)
        is_compared = sends_probes and plan.changes
        before = failures_now(workspace, sites) if is_compared else NO_FAILURES
        return cls(workspace, plan, sites, before, sends_probes)

    def checks(self) -> Verification:
        """The checks, as the apply calls them."""
        return Verification(
            self._verify_applied,
            self._verify_rolled_back if self.sends_probes else tuple,
            partial(verify_started, self.workspace, self.before, probes=self.sends_probes),
        )

    def record_unchanged(self) -> None:
        """Record what is expected of a host on which nothing was to be done."""
        _record_probes(self.workspace, self.sites, current_number(self.workspace.host.state))

    def _verify_applied(self) -> tuple[Check, ...]:
        is_revealing = reveals_changes(self.plan)
        there = self.workspace.refreshed() if is_revealing else self.workspace
        # Before the apply is committed: what it leaves is then known by what it has to answer.
        _record_probes(there, self.sites, self.workspace.ledger.serial + 1)
        if not self.sends_probes:
            return ()
        return verify_sites(there, self.sites, self.before, self.plan.changes)

    def _verify_rolled_back(self) -> tuple[Check, ...]:
        there = self.workspace.refreshed()
        restored = compare_restored(self.plan, there.host)
        return (*restored, *verify_restored(there, self.sites, self.before))


def reveals_changes(plan: Plan) -> bool:
    """Whether some of what an apply does becomes known only by what it does first."""
    return any(change.after and change.after.reveals_changes for change in plan.changes)


def _changed_sites(plan: Plan) -> frozenset[str]:
    return frozenset(site for change in plan.changes for site in change.sites)


def _record_probes(workspace: Workspace, sites: frozenset[str] | None, number: int) -> None:
    """Record what the state that row `number` will leave is expected to answer."""
    state = workspace.host.state
    known = recorded_probes(state, current_number(state))
    foreign = workspace.sites_elsewhere
    others = [
        probe
        for probe in known or ()
        if probe.site in foreign or (sites is not None and probe.site not in sites)
    ]
    declared = workspace.readable_probes.probes
    chosen = [probe for probe in declared if sites is None or probe.site in sites]
    probes = (*others, *chosen)
    if probes != recorded_probes(state, number):
        record_probes(state, number, probes)
        # Those of applies that failed, and of states that were rolled back, are among them.
        forget_probes(state, keep=3 * RETAINED)
