"""How a host differs from its configuration."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from typing import TYPE_CHECKING

from reconcile.engine.claims import Claims
from reconcile.engine.confirmation import apply_to_confirm, read_pending
from reconcile.engine.data_protection import find_protection, protected_folders
from reconcile.engine.history import INTERRUPTED, last_row
from reconcile.engine.host_hold import read_hold
from reconcile.engine.ignore_rules import apply_ignore_rules, without_ignored
from reconcile.engine.model import Finding, Plan
from reconcile.engine.observe import Compare, Observation, observe
from reconcile.engine.planner import make_plan
from reconcile.engine.recovery import unfinished
from reconcile.engine.removal_guards import guard_refusals
from reconcile.engine.resource import Owner
from reconcile.engine.safety_checks import with_errors, with_refusals
from reconcile.engine.scopes import owned_elsewhere
from reconcile.engine.selection import Selection, select
from reconcile.engine.shared_places import with_place_conflicts
from reconcile.engine.staleness import refuse_stale
from reconcile.engine.write_obstacles import write_obstacles
from reconcile.filesystem.place import Locator
from reconcile.filesystem.place_guard import PlaceGuard
from reconcile.nginx.running.discover import NginxInstallation
from reconcile.resources import registry
from reconcile.system.planned_host import PlannedHost

if TYPE_CHECKING:
    from reconcile.engine.host_hold import Hold
    from reconcile.engine.ledger import Rows
    from reconcile.engine.model import Declared, Desired, PlanInputs
    from reconcile.engine.resource import Ref, Resource
    from reconcile.system import Host
    from reconcile.workspace import Workspace


def plan_changes(
    workspace: Workspace, selection: Selection = Selection.ALL, *, bind_contents: bool = False
) -> Plan:
    """What an apply would change. Changes nothing, takes no lock.

    `bind_contents`: a saved plan approves contents, so all that will be copied is read.
    Errors: ReconcileError, where the facts of the host cannot be read.
    """
    host, moves = workspace.host, workspace.state.moves
    rows, hold = moves.renamed(workspace.owned.rows), read_hold(host.state)
    declared, chosen, withheld = _select(workspace, rows, selection)
    rules, today = workspace.state.ignored, date.today()
    host.guard = PlaceGuard(protected_folders(declared, workspace.protected), Locator())
    world = PlannedHost(host)
    world.known[NginxInstallation] = workspace.nginx
    compare = partial(without_ignored, rules, today)
    elsewhere = (chosen & owned_elsewhere(workspace.owned)) - declared.keys()
    kept = chosen - elsewhere
    observation = _observe(declared, kept, rows, world, compare, bind_contents=bind_contents)
    compared = apply_ignore_rules(declared, observation.readings, rules, today)
    desired, observed = compared.desired, compared.observed
    worlds = (host,) if world.files.is_unchanged else (host, world)
    notes = (*_waiting_notes(host, hold), *workspace.state.findings)
    plan = make_plan(
        desired,
        observed,
        rows,
        applier=_applier(host),
        created=observation.created,
        held=observation.held,
        protection=find_protection(desired, observed, workspace.protected, worlds),
        host=host.name,
        config=workspace.origin,
        partial=selection.partial,
        conflicts=workspace.conflicts,
        moves=moves.refs,
        ignored=compared.ignored,
        findings=(*notes, *compared.findings, *observation.findings, *withheld.values()),
    )
    # What another scope needs stays, and belongs to that from now on.
    plan = replace(plan, released=plan.released | elsewhere, hold=hold)
    plan = with_place_conflicts(plan, world.files)
    guarded = guard_refusals(plan, rows, chosen, moves, workspace.state.entries)
    return with_errors(_with_refusals(_with_impact(workspace, plan), world), guarded)


def _select(
    workspace: Workspace, rows: Rows, selection: Selection
) -> tuple[Desired, frozenset[Ref], dict[Ref, Finding]]:
    """The declarations as far as they are selected, what is selected, and what is withheld."""
    declared = workspace.desired
    chosen = select(declared, {ref: row.sites for ref, row in rows.items()}, selection)
    withheld = _withheld(declared, chosen)
    chosen -= withheld.keys()
    return {ref: _within(item, chosen) for ref, item in declared.items()}, chosen, withheld


def _within(item: Declared, chosen: frozenset[Ref]) -> Declared:
    resource = item.resource.within(chosen)
    return item if resource is item.resource else replace(item, resource=resource)


def _withheld(declared: Desired, chosen: frozenset[Ref]) -> dict[Ref, Finding]:
    """What is left as it is, and keeps its ledger row."""
    found = ((ref, item.resource.withheld()) for ref, item in declared.items() if ref in chosen)
    return {ref: finding for ref, finding in found if finding is not None}


def _observe(
    declared: Desired,
    chosen: frozenset[Ref],
    rows: Rows,
    world: PlannedHost,
    compare: Compare,
    *,
    bind_contents: bool,
) -> Observation:
    return observe(
        {ref: item for ref, item in declared.items() if ref in chosen},
        {ref: rows[ref] for ref in sorted(chosen - declared.keys())},
        _from_ref,
        world,
        claims=Claims(declared, world),
        compare=compare,
        bind_contents=bind_contents,
    )


def replan(
    workspace: Workspace,
    approved: PlanInputs,
    selection: Selection = Selection.ALL,
    *,
    bind_contents: bool = False,
) -> Plan:
    """The plan of a host read again. Errors: StalePlan, if it is not the approved one."""
    plan = plan_changes(workspace.refreshed(), selection, bind_contents=bind_contents)
    refuse_stale(approved, plan.inputs)
    return plan


def _with_refusals(plan: Plan, world: PlannedHost) -> Plan:
    """The plan with why an apply would refuse it, as far as this user can find out."""
    if not plan.changes or world.is_unprivileged_viewer:
        return plan
    return with_errors(with_refusals(plan, world), write_obstacles(plan, world))


def _with_impact(workspace: Workspace, plan: Plan) -> Plan:
    if not plan.changes:
        return plan
    # Brings the simulator of nginx, which a plan without changes must not pay for.
    from reconcile.impact.plan_impact import affects_nginx, with_impact

    if not affects_nginx(plan):
        return plan
    return with_impact(plan, workspace.config, workspace.facts, workspace.nginx)


def _waiting_notes(host: Host, hold: Hold | None) -> Iterator[Finding]:
    """Why an apply has to wait, and what the last one has left open."""
    yield from _hold_note(hold)
    yield from _unconfirmed_note(host)
    yield from _interrupted_applies(host)


def _hold_note(hold: Hold | None) -> Iterator[Finding]:
    if hold is not None:
        fix = "Until then, apply exits with 6. To end it: reconcile hold --release"
        yield Finding("hold", "note", f"{hold}.", fix=fix)


def _unconfirmed_note(host: Host) -> Iterator[Finding]:
    pending = read_pending(host.state)
    if pending is not None and apply_to_confirm(host.state, pending) is not None:
        fix = "Until then no other apply starts. Keep it: reconcile confirm"
        yield Finding("unconfirmed-apply", "note", f"{pending}.", fix=fix)


def _interrupted_applies(host: Host) -> Iterator[Finding]:
    for entry in unfinished(host):
        yield Finding(
            "interrupted-apply",
            "warning",
            f"The apply started by {entry.by.user} at {entry.at} did not finish.",
            fix="If it no longer runs, the next apply or `reconcile rollback` rolls it back first.",
            apply_fixes=True,
        )
    # Whoever lost the terminal has not read how the apply ended.
    last = last_row(host.state)
    if last is not None and last.entry.error.startswith(INTERRUPTED):
        yield Finding(
            "interrupted-apply",
            "note",
            f"The last apply, started by {last.entry.by.user} at {last.entry.at}, did not finish:"
            f" {last.entry.error} Its result: {last.entry.result.replace('_', ' ')}.",
        )


def _applier(host: Host) -> Owner:
    account = host.accounts.current
    return Owner(account.name, host.accounts.group_name(account.gid))


def _from_ref(ref: Ref) -> Resource:
    return registry.load(ref.kind).from_name(ref.name)
