"""Executing the changes of a plan, in their order, and observing each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from reconcile.engine.apply_report import Event, EventHandler
from reconcile.engine.convergence import NotConverged, is_changed_by_others, refuse_difference
from reconcile.engine.model import Change, Plan
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import in_one_line

if TYPE_CHECKING:
    from reconcile.engine.resource import Ref, Resource
    from reconcile.system import Host

Done = dict["Ref", "Resource | None"]


@dataclass
class Execution:
    """The changes that were made on `host`: `done` has what was observed after each.

    `check_started` raises unless what was started beside the old may take its place.
    """

    host: Host
    on_event: EventHandler
    add_note: Callable[[str], None]
    check_started: Callable[[Resource], None]
    done: Done = field(default_factory=dict)

    def execute(self, plan: Plan, changes: Sequence[Change]) -> None:
        """Make `changes`, which are of `plan`; what is served goes once nginx has the new files.

        Errors: NotConverged, and what the resources raise.
        """
        two_steps = {change.ref: change for change in changes if _removes_later(plan, change)}
        kept = [number for number, change in enumerate(changes, 1) if change.after is not None]
        end = max(kept, default=0)
        for change in changes[:end]:
            self._execute(plan, change, removes_later=change.ref in two_steps)
        for change in two_steps.values():
            with self._reporting(change):
                self._remove(plan, change)
        for change in changes[end:]:
            self._execute(plan, change)

    def check_stays_up(self, plan: Plan) -> None:
        """After all of them, so that the waits for many coincide."""
        for change in plan.changes:
            if change.after is not None:
                change.after.check_stays_up(self.host)

    @contextmanager
    def _reporting(self, change: Change, *, is_complete: bool = True) -> Iterator[None]:
        """Report the progress of `change` in the body, and its end."""
        began = monotonic()
        self.host.on_copy_progress = partial(self._report_progress, change)
        try:
            yield
        except (ReconcileError, OSError) as error:
            elapsed = monotonic() - began
            self.on_event(Event("apply_errored", change, None, in_one_line(error), elapsed))
            raise
        finally:
            self.host.on_copy_progress = None
        if is_complete:
            self.on_event(Event("apply_complete", change, elapsed_s=monotonic() - began))

    def _report_progress(self, change: Change, done: int, total: int) -> None:
        self.on_event(Event("apply_progress", change, done=done, total=total))

    def _execute(self, plan: Plan, change: Change, *, removes_later: bool = False) -> None:
        self.on_event(Event("apply_start", change))
        with self._reporting(change, is_complete=not removes_later):
            if change.after is None:
                self._delete(change)
            elif removes_later:
                change.after.apply_but_removals(self.host, change.before)
                self.done[change.ref] = change.after
            else:
                self._apply(plan, change, change.after)

    def _delete(self, change: Change) -> None:
        change.subject.delete(self.host)
        self._note_if_kept(change)
        self.done[change.ref] = None

    def _apply(self, plan: Plan, change: Change, after: Resource) -> None:
        if after.is_switch:
            self.check_started(after)
        after.apply(self.host, change.before)
        self._observe(plan, change, after)

    def _remove(self, plan: Plan, change: Change) -> None:
        """The second step of a change that removes a part of what it holds."""
        if change.before is not None and change.after is not None:
            change.after.apply_removals(self.host, change.before)
            self._observe(plan, change, change.after)

    def _observe(self, plan: Plan, change: Change, after: Resource) -> None:
        observed = after.refresh(self.host, change.before)
        if observed is None or not is_changed_by_others(change):
            # What others changed again meanwhile is found and noted by the plan afterwards.
            refuse_difference(change.ref, observed, plan.desired[change.ref].resource)
        self.done[change.ref] = observed

    def _note_if_kept(self, change: Change) -> None:
        # As a ledger row observes it: a service counts as removed once it is stopped.
        observed = type(change.subject).from_name(change.ref.name).observe(self.host)
        if observed is None:
            return
        why = observed.why_not_removable(frozenset())
        if not why:
            raise NotConverged(f"{change.ref} still exists after being removed.")
        self.add_note(f"{change.ref} was not removed: {why}")


def _removes_later(plan: Plan, change: Change) -> bool:
    """Whether it removes some of what it holds, and no change of `plan` needs that gone."""
    if change.before is None or change.after is None:
        return False
    if change.before.waits_for_switch():
        return True
    paths = tuple(change.before.pruned_paths())
    others = (one.before or one.subject for one in plan.changes if one.after is not None)
    return bool(paths) and not any(one.needs_gone(path) for one in others for path in paths)
