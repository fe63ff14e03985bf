"""Changing the host under its lock: apply and rollback."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import reconcile.resources.undo_records  # noqa: F401  registers what a journal may hold
from reconcile.dataclass import dataclass
from reconcile.engine.apply import apply, has_consequences, report_unprepared
from reconcile.engine.apply_report import Event, EventHandler, Report, discard_event
from reconcile.engine.confirmation import refuse_unconfirmed
from reconcile.engine.host_hold import refuse_held
from reconcile.engine.interrupt import Interrupted, uninterrupted
from reconcile.engine.model import Plan
from reconcile.engine.recovery import recover
from reconcile.engine.safety_checks import (
    refuse_emptying,
    refuse_excess,
    refuse_excessive_share,
    refuse_unclear,
)
from reconcile.engine.selection import Selection
from reconcile.errors import HoldInForce, ReconcileError
from reconcile.system.lock import lock
from reconcile.workspace.apply_verification import ApplyVerification, reveals_changes
from reconcile.workspace.confirming import (
    apply_until_confirmed,
    refuse_unconfirmable,
    stop_waiting_if_undone,
)
from reconcile.workspace.kept_state import keep_state
from reconcile.workspace.kept_texts import KeptTexts, keep_steps
from reconcile.workspace.planning import plan_changes
from reconcile.workspace.releasing import (
    build_releases,
    made_with_releases,
    prune_releases,
    releases_to_build,
)

if TYPE_CHECKING:
    from reconcile.engine.step_output import StepOutput
    from reconcile.filesystem.state_dir import StateDir
    from reconcile.resources.release import Release
    from reconcile.workspace import Workspace


@dataclass(frozen=True)
class ApplyOptions:
    """How to apply a plan, and what the safety checks allow."""

    verify: bool = True
    roll_back: bool = True
    max_deletes: int | None = None
    max_delete_share: float | None = None
    """The largest share of all owned resources that may go; `max_deletes` overrides it."""
    allow_empty: bool = False
    selection: Selection = Selection.ALL
    """The part that was planned; if it names sites, these alone are verified."""
    confirm_s: int | None = None
    """How long a person has to confirm it; otherwise it is rolled back."""
    saved_plan: str | None = None
    """The id of the saved plan that is applied; it is valid for one apply."""


UNATTENDED = ApplyOptions(max_delete_share=0.5)
"""For an apply without approval: it never removes more than half of what is owned."""


@contextmanager
def locked(
    workspace: Workspace,
    command: str,
    *,
    timeout_s: float = 0.0,
    on_event: EventHandler = discard_event,
) -> Iterator[Workspace]:
    """Hold the host's lock, finish an interrupted apply, then read the host again.

    Errors: LockHeld, naming the holder; RollbackFailed.
    """
    with lock(workspace.host, command, timeout_s=timeout_s):
        recover(workspace.host, on_event)
        yield workspace.refreshed()


def reason_to_wait(state: StateDir) -> HoldInForce | None:
    """Why no apply may start now. Errors: ReconcileError where that cannot be read."""
    try:
        refuse_held(state)
        refuse_unconfirmed(state)
    except HoldInForce as error:
        return error
    return None


@contextmanager
def locked_to_apply(
    workspace: Workspace,
    command: str,
    *,
    timeout_s: float = 0.0,
    on_event: EventHandler = discard_event,
) -> Iterator[Workspace]:
    """The same for an apply, which a hold and an unconfirmed apply prevent.

    Errors: as `locked`, and HoldInForce.
    """
    host = workspace.host
    with lock(host, command, timeout_s=timeout_s):
        refuse_held(host.state)
        recover(host, on_event)
        refuse_unconfirmed(host.state)
        stop_waiting_if_undone(host)
        yield workspace.refreshed()


def apply_plan(
    workspace: Workspace,
    plan: Plan,
    command: str,
    *,
    options: ApplyOptions = ApplyOptions(),
    on_event: EventHandler = discard_event,
) -> Report:
    """Apply a plan of this workspace, which has to be a locked one.

    Errors: ReconcileError, if it is refused before anything has changed.
    """
    _refuse_unsafe(workspace, plan, options)
    if releases := releases_to_build(plan, workspace.host):
        return _apply_with_releases(workspace, plan, releases, command, options, on_event)
    texts = KeptTexts(workspace, plan, [])
    return _apply_exact(workspace, plan, command, options, on_event, texts)


def _apply_with_releases(
    workspace: Workspace,
    approved: Plan,
    releases: tuple[Release, ...],
    command: str,
    options: ApplyOptions,
    on_event: EventHandler,
) -> Report:
    """Make the folders of `releases`, then plan and apply the rest exactly."""
    refuse_unclear(approved)
    if options.confirm_s is not None:
        refuse_unconfirmable(approved, workspace.host)
    plan = approved
    steps: list[StepOutput] = []
    failure = _prepare(workspace, releases, on_event, steps.append)
    if failure is None:
        # Only now is it known what the steps have made.
        workspace = workspace.refreshed()
        plan = plan_changes(workspace, options.selection)
        failure = _why_unclear(plan)
    if failure is not None:
        keep_steps(workspace, plan, steps)
        actor = workspace.actor(command, options.saved_plan)
        return report_unprepared(plan, workspace.host, failure, actor)
    _refuse_unsafe(workspace, plan, options)
    made = made_with_releases(approved, plan, releases)
    for change in made:
        on_event(Event("apply_complete", change))
    texts = KeptTexts(workspace, plan, steps)
    report = _apply_exact(workspace, plan, command, options, on_event, texts)
    if report.result == "no_changes":
        # Their folders had been missing, and were all that was.
        return replace(report, result="applied", done=made)
    return replace(report, done=(*made, *report.done)) if report.result == "applied" else report


def _apply_exact(
    workspace: Workspace,
    plan: Plan,
    command: str,
    options: ApplyOptions,
    on_event: EventHandler,
    texts: KeptTexts,
) -> Report:
    """Apply a plan whose releases have been built."""
    selection = options.selection
    verification = ApplyVerification.begin(workspace, plan, selection, sends_probes=options.verify)
    revealed = texts if reveals_changes(plan) else None
    run = partial(
        apply,
        plan,
        workspace.host,
        verification.checks(),
        on_event=on_event,
        by=workspace.actor(command, options.saved_plan),
        replan=partial(_plan_again, workspace, selection, revealed),
        roll_back=options.roll_back,
    )
    if options.confirm_s is not None and plan.changes:
        report = apply_until_confirmed(workspace, plan, command, options.confirm_s, run)
    else:
        report = run()
    if report.result == "no_changes":
        verification.record_unchanged()
    # Also where nothing was to be done: another version of reconcile renders all of it anew.
    if report.result in ("applied", "no_changes"):
        _keep_compiled(workspace, report.plan)
        prune_releases(workspace)
    return report


def _prepare(
    workspace: Workspace,
    releases: tuple[Release, ...],
    on_event: EventHandler,
    on_step: Callable[[StepOutput], None],
) -> ReconcileError | OSError | Interrupted | None:
    """Make the folders of `releases`; why that failed, if it did."""
    try:
        with uninterrupted() as signals, signals.interruptible():
            build_releases(releases, workspace, on_event, on_step)
    except (ReconcileError, OSError, Interrupted) as error:
        return error
    return None


def _why_unclear(plan: Plan) -> ReconcileError | None:
    """Why the plan that is known once the releases are made cannot be applied, if it cannot."""
    try:
        refuse_unclear(plan)
    except ReconcileError as error:
        return error
    return None


def _keep_compiled(workspace: Workspace, plan: Plan) -> None:
    is_changed = has_consequences(plan)
    # Without it the next plan takes longer, and that is all.
    with suppress(ReconcileError):
        workspace.renderings.keep(workspace.host.state)
        if plan.partial:
            # The probes of other sites are recorded by an apply of the whole file.
            return
        # The apply has changed what the file means, such as which files nginx reads.
        current = workspace.refreshed() if is_changed else workspace
        keep_state(current, is_changed=is_changed)


def _plan_again(workspace: Workspace, selection: Selection, texts: KeptTexts | None) -> Plan:
    """The plan of the host as it is now, read anew, with its `texts` kept if it will be done."""
    plan = plan_changes(workspace.refreshed(), selection)
    if texts is not None:
        texts.keep(plan)
    return plan


def _refuse_unsafe(workspace: Workspace, plan: Plan, options: ApplyOptions) -> None:
    declared = (
        *workspace.config.sites,
        *workspace.config.paths,
        *workspace.config.services,
    )
    refuse_emptying(declared, plan.released, allow_empty=options.allow_empty)
    refuse_excess(plan, max_deletes=options.max_deletes)
    if options.max_deletes is None and options.max_delete_share is not None:
        refuse_excessive_share(plan, len(workspace.ledger.rows), options.max_delete_share)
