"""Whether a host matches its configuration and answers as it should."""

from __future__ import annotations

from collections.abc import Sequence
from time import monotonic
from typing import TYPE_CHECKING

from reconcile.config.probes import HttpProbe
from reconcile.engine.drift_report import Drift
from reconcile.engine.ledger_store import now
from reconcile.gitops.drift_state import load
from reconcile.system.lock import holder
from reconcile.verify.run_probes import find_degraded, run_probes
from reconcile.workspace.planning import plan_changes

if TYPE_CHECKING:
    from reconcile.config.probes import Probe
    from reconcile.engine.model import Check
    from reconcile.workspace import Workspace

IDLE_RETRY_S = 1.0
"""How long a bad answer is retried on a host where nothing was just reloaded."""


def verify_sites(
    workspace: Workspace, sites: frozenset[str] | None = None, relaxed: Sequence[HttpProbe] = ()
) -> tuple[Check, ...]:
    """Run every probe of `sites`, by default of all; of `relaxed` expect only the minimum."""
    known = workspace.readable_probes
    minimum: dict[str, Probe] = {probe.name: probe.relaxed for probe in relaxed}
    probes = [minimum.get(probe.name, probe) for probe in _of_sites(known.probes, sites)]
    unknown = (check for site, check in known.unknown.items() if sites is None or site in sites)
    return (*unknown, *run_probes(probes, workspace.host))


def preexisting_failures(
    workspace: Workspace, sites: frozenset[str] | None
) -> tuple[HttpProbe, ...]:
    """The probes that now meet only their minimum expectation: an apply does not fail on them."""
    return find_degraded(_of_sites(workspace.readable_probes.probes, sites), workspace.host)


def run_http_probes(workspace: Workspace) -> tuple[Check, ...]:
    """Run the probes that only read; those that write, even briefly, are for `verify_sites`."""
    probes = [probe for probe in workspace.readable_probes.probes if isinstance(probe, HttpProbe)]
    return run_probes(probes, workspace.host, retry_s=IDLE_RETRY_S)


def check_drift(workspace: Workspace) -> Drift:
    """How the host differs now, and since when. Changes nothing, takes no lock."""
    began, at, applying = monotonic(), now(), holder(workspace.host)
    plan, checks = plan_changes(workspace), run_http_probes(workspace)
    memory, _ = load(workspace.host.state)
    return Drift(
        plan,
        checks,
        at,
        memory.first_seen,
        memory.last_success,
        applying or holder(workspace.host),
        monotonic() - began,
    )


def _of_sites(probes: Sequence[Probe], sites: frozenset[str] | None) -> list[Probe]:
    return [probe for probe in probes if sites is None or probe.site in sites]
