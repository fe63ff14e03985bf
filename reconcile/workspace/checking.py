"""Whether a host matches its configuration and answers as it should."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING

from reconcile.config.probes import CertificateProbe, CrawlProbe, FilesProbe, HttpProbe
from reconcile.engine.diff import differences
from reconcile.engine.drift_report import Drift
from reconcile.engine.history import current_number, last_row
from reconcile.engine.ledger_store import now, read_ledger
from reconcile.engine.model import Check
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import in_one_line
from reconcile.gitops.drift_state import load
from reconcile.system.lock import holder
from reconcile.verify.configured_responses import as_configured, of_present_servers
from reconcile.verify.failures_before import (
    NO_FAILURES,
    RETRY_S,
    FailuresBefore,
    find_error_responses,
    find_failures,
)
from reconcile.verify.recorded_probes import recorded_probes
from reconcile.verify.run_probes import START_TIMEOUT_S, TIMEOUT_S, run_probes
from reconcile.verify.served_bytes import with_changed
from reconcile.verify.services import check_services
from reconcile.workspace.planning import plan_changes

if TYPE_CHECKING:
    from reconcile.config.probes import Probe
    from reconcile.engine.model import Change, Plan
    from reconcile.engine.resource import Ref
    from reconcile.system import Host
    from reconcile.workspace import Workspace

_COMPARED: dict[str, frozenset[str]] = {
    **dict.fromkeys(("file", "directory", "symlink", "unit"), frozenset[str]()),
    "service": frozenset({"enabled", "active"}),
}
"""Kinds whose state is that of their own place, with the fields to compare; none means all."""


def verify_sites(
    workspace: Workspace,
    sites: frozenset[str] | None = None,
    before: FailuresBefore = NO_FAILURES,
    changes: Sequence[Change] = (),
) -> tuple[Check, ...]:
    """Run every probe of `sites`, by default of all; mark what had failed `before` an apply.

    The files that `changes` wrote are compared with what is sent, as far as a site serves them.
    Uploads are compared only where there are none: they may change at any moment.
    """
    known = workspace.readable_probes
    unknown = (check for site, check in known.unknown.items() if sites is None or site in sites)
    probes = _of_sites(known.probes, sites)
    if changes:
        probes = _without_uploads(probes, workspace)
    written = tuple(_written_paths(changes))
    files = (with_changed(probe, written) for probe in probes if isinstance(probe, FilesProbe))
    is_starting = any(change.ref.kind == "service" for change in changes)
    timeout_s = START_TIMEOUT_S if is_starting else TIMEOUT_S
    checks = _run(workspace, [*probes, *filter(None, files)], before, timeout_s)
    services = check_services(_workers(workspace) if sites is None else (), workspace.host)
    return (*unknown, *checks, *services)


def _workers(workspace: Workspace) -> Iterator[str]:
    """The unit of each service that runs always."""
    for name, entry in workspace.config.services.items():
        if entry.schedule is None:
            yield f"{name}.service"


def _written_paths(changes: Sequence[Change]) -> Iterator[str]:
    """The paths of the files that the changes wrote, as far as others may request them."""
    for change in changes:
        if change.ref.kind == "file" and change.after is not None:
            yield change.ref.name
        for resource in filter(None, (change.before, change.after)):
            yield from (path for path, _ in resource.rewritten_paths())


def verify_restored(
    workspace: Workspace,
    sites: frozenset[str] | None = None,
    before: FailuresBefore = NO_FAILURES,
) -> tuple[Check, ...]:
    """Run the probes of the state that the host is in after a rollback."""
    probes = _without_uploads(_of_sites(_restored_probes(workspace), sites), workspace)
    # The rollback may have started an app again.
    return _run(workspace, probes, before, START_TIMEOUT_S)


def _without_uploads(probes: Sequence[Probe], workspace: Workspace) -> list[Probe]:
    """Without the comparison of files that others may write or close meanwhile."""
    protected = {*workspace.protected, *(ref.name for ref in _protected(workspace))}
    return [
        probe for probe in probes if not (isinstance(probe, FilesProbe) and probe.dir in protected)
    ]


def _protected(workspace: Workspace) -> Iterator[Ref]:
    for ref, declared in workspace.desired.items() if workspace.config.sites else ():
        if declared.resource.protected:
            yield ref


def compare_restored(plan: Plan, host: Host) -> tuple[Check, ...]:
    """A failed check for each resource of `plan` that is not as it was before it."""
    found = (
        (change, _difference(plan, change, host))
        for change in plan.changes
        if change.ref.kind in _COMPARED
    )
    return tuple(
        Check(f"restored:{change.ref}", "fail", f"{different} differs from before the apply")
        for change, different in found
        if different
    )


def _difference(plan: Plan, change: Change, host: Host) -> str:
    """The fields in which a resource differs from what it was, "" for none."""
    wanted = plan.desired[change.ref].resource if change.after else change.subject
    try:
        now, before = wanted.observe(host), change.before
    except (ReconcileError, OSError) as error:
        return in_one_line(error)
    if now is None or before is None:
        return "" if now is before else "its existence"
    fields = _COMPARED[change.ref.kind]
    names = (item.name for item in differences(now, before))
    return ", ".join(name for name in names if not fields or name in fields)


def failures_now(workspace: Workspace, sites: frozenset[str] | None = None) -> FailuresBefore:
    """What fails at this moment of what the state that the host is in is expected to answer."""
    recorded = recorded_probes(workspace.host.state, current_number(workspace.host.state))
    if recorded is None:
        # The default server answers for a site that is not there yet.
        declared = of_present_servers(_declared_probes(workspace), workspace.host)
        probes = _of_sites(declared, sites)
        return find_error_responses(as_configured(probes, workspace.host), workspace.host)
    probes = _of_sites(recorded, sites)
    return find_failures(as_configured(probes, workspace.host), workspace.host)


def _run(
    workspace: Workspace,
    probes: Sequence[Probe],
    before: FailuresBefore,
    timeout_s: float,
) -> tuple[Check, ...]:
    asked = as_configured(probes, workspace.host)
    checks = run_probes(asked, workspace.host, timeout_s=timeout_s)
    return before.excuse(checks, asked, workspace.host)


def _restored_probes(workspace: Workspace) -> Sequence[Probe]:
    """Those that were recorded with the state; without a record, whether the apps answer."""
    state = workspace.host.state
    number = current_number(state)
    recorded = recorded_probes(state, number)
    if recorded is not None:
        return recorded
    if number == 0:
        # Nothing is declared there; only data that has arrived since is still protected.
        return ()
    known = {site for row in read_ledger(state).rows.values() for site in row.sites}
    return [
        probe
        for probe in _declared_probes(workspace)
        if isinstance(probe, HttpProbe) and probe.minimum and probe.site in known
    ]


def _declared_probes(workspace: Workspace) -> Sequence[Probe]:
    """None where the YAML is gone: without sites nothing has to be compiled."""
    return workspace.readable_probes.probes if workspace.config.sites else ()


def run_http_probes(workspace: Workspace, *, without: Collection[str] = ()) -> tuple[Check, ...]:
    """Run the probes that only read; those that write, even briefly, are for `verify_sites`.

    `without`: sites that are not asked.
    """
    reading = (HttpProbe, FilesProbe, CrawlProbe, CertificateProbe)
    every = workspace.readable_probes.probes
    probes = [one for one in every if isinstance(one, reading) and one.site not in without]
    checks = run_probes(as_configured(probes, workspace.host), workspace.host, retry_s=RETRY_S)
    return (*checks, *check_services(_workers(workspace), workspace.host))


def check_drift(workspace: Workspace) -> Drift:
    """How the host differs now, and since when. Changes nothing, takes no lock."""
    began, at, applying = monotonic(), now(), holder(workspace.host)
    plan, checks = _without_due(plan_changes(workspace)), run_http_probes(workspace)
    memory, _ = load(workspace.host)
    return Drift(
        plan,
        checks,
        at,
        memory.first_seen,
        memory.last_success,
        applying or holder(workspace.host),
        monotonic() - began,
        last_apply=last_row(workspace.host.state),
    )


def _without_due(plan: Plan) -> Plan:
    """Without the removal of what has outlived its time: that is left to the next apply."""
    changes = (one for one in plan.changes if not (one.before and one.before.is_due_only))
    return replace(plan, changes=tuple(changes))


def _of_sites(probes: Sequence[Probe], sites: frozenset[str] | None) -> list[Probe]:
    return [probe for probe in probes if sites is None or probe.site in sites]
