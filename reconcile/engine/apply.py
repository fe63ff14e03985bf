"""Applying a plan as a whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from reconcile.engine.data_protection import protected_folders
from reconcile.engine.diff import differences
from reconcile.engine.history import INTERRUPTED, Actor, HistoryEntry
from reconcile.engine.interrupt import Interrupted, SignalHandler, uninterrupted
from reconcile.engine.journal import Journal
from reconcile.engine.ledger import Ledger, LedgerRow, Rows, encode, rows_after
from reconcile.engine.ledger_store import next_records, now, write_records
from reconcile.engine.model import (
    ApplyResult,
    Change,
    Check,
    Event,
    EventHandler,
    Plan,
    Report,
    discard_event,
    failed_checks,
    failure_reasons,
    merged_versions,
)
from reconcile.engine.protection_record import (
    protected_on,
    read_owned,
    with_places,
    write_record,
)
from reconcile.engine.resource import Ref, Resource
from reconcile.engine.rollback import (
    RollbackFailed,
    prune_journals,
    roll_back,
    why_only_by_hand,
)
from reconcile.engine.safety_checks import refuse_unclear
from reconcile.engine.scopes import passed_over
from reconcile.errors import ReconcileError, StalePlan
from reconcile.filesystem.host_error import in_one_line
from reconcile.filesystem.place_guard import PlaceGuard
from reconcile.wording import counted

if TYPE_CHECKING:
    from reconcile.system import Host

Verify = Callable[[], Sequence[Check]]
VerifyStarted = Callable[[Resource], Sequence[Check]]
Replan = Callable[[], Plan]
Done = dict[Ref, Resource | None]


class NotConverged(ReconcileError):
    """What was observed after a change is not what was written."""


class VerificationFailed(ReconcileError):
    """The plan was applied, but a check failed."""


def nothing_started(switch: Resource) -> Sequence[Check]:  # noqa: ARG001
    """Where nothing is started beside what visitors get."""
    return ()


def apply(
    plan: Plan,
    host: Host,
    *,
    verify: Verify,
    verify_rolled_back: Verify,
    on_event: EventHandler,
    by: Actor,
    replan: Replan | None = None,
    verify_started: VerifyStarted = nothing_started,
    roll_back: bool = True,
) -> Report:
    """Apply `plan`; the caller holds the lock, has recovered, and planned just now.

    `verify_started` checks what was started beside the old, before a switch leads visitors to it.
    `replan` plans again once everything is done: what is left then fails the apply.

    Any failure, of a check too, rolls everything back unless `roll_back` is False; then
    `verify_rolled_back` checks the restored host. The report has the checks that decided.
    Errors: ReconcileError, if the plan is refused before anything has changed.
    """
    refuse_unclear(plan)
    ledger = _owned(plan, host)
    run = _ApplyRun(
        plan,
        host,
        ledger,
        verify,
        verify_rolled_back,
        on_event,
        by,
        replan,
        verify_started,
        roll_back,
    )
    if not plan.changes:
        return run.adopt_unchanged()
    for declared in plan.desired.values():
        declared.resource.before_apply(host)
    return run.execute()


def _owned(plan: Plan, host: Host) -> Ledger:
    """The ledger, which names the configuration that the plan comes from."""
    ledger = read_owned(host)
    if plan.config is None:
        return ledger
    return replace(passed_over(ledger, plan.desired, plan.config.path), file=plan.config.path)


def report_unprepared(
    plan: Plan, host: Host, error: ReconcileError | OSError | Interrupted, by: Actor
) -> Report:
    """Record and report that what `plan` needs could not be made: nothing has changed."""
    run = _ApplyRun(plan, host, _owned(plan, host), tuple, tuple, discard_event, by)
    run.signal = error.number if isinstance(error, Interrupted) else 0
    failure = _as_error(error)
    why = ": ".join(filter(None, [failure.what, "; ".join(failure.why.splitlines())]))
    entry = run.entry("rolled_back", why)
    write_records(host.state, *next_records(run.ledger, run.ledger.rows, entry))
    return run.report("rolled_back", failure)


@dataclass
class _ApplyRun:
    plan: Plan
    host: Host
    ledger: Ledger
    verify: Verify
    verify_rolled_back: Verify
    on_event: EventHandler
    by: Actor
    replan: Replan | None = None
    verify_started: VerifyStarted = nothing_started
    may_roll_back: bool = True
    started: float = field(default_factory=monotonic)
    at: str = field(default_factory=now)
    done: Done = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    checks: tuple[Check, ...] = ()
    signal: int = 0
    restored: bool = True

    def adopt_unchanged(self) -> Report:
        """Own what already matches; writes the ledger only if that changes it."""
        self._record_unchanged()
        rows = self._rows({})
        self._record_protection(rows)
        if rows != read_owned(self.host).rows:
            entry = self.entry("no_changes")
            write_records(self.host.state, *next_records(self.ledger, rows, entry))
        return self.report("no_changes")

    def execute(self) -> Report:
        """Apply, or roll back; a signal ends neither half-way nor unreported."""
        with uninterrupted() as signals:
            return self._execute_or_roll_back(signals)

    def _execute_or_roll_back(self, signals: SignalHandler) -> Report:
        journal = Journal.begin(self.host.state, encode(self.ledger), self.entry("begun"))
        try:
            with signals.interruptible(), _with_recorder(self.host, journal, self._guard()):
                self._execute_all()
                self._check_stays_up()
                self._record_unchanged()
                self._refuse_leftovers()
                self.checks = self._check(self.verify)
                self._refuse_failed(self.checks)
            self._commit(journal, "applied")
        except (ReconcileError, OSError, Interrupted) as error:
            self.signal = error.number if isinstance(error, Interrupted) else 0
            return self._handle_failure(journal, _as_error(error))
        except BaseException:
            # A bug of reconcile: restore the host all the same, then report the bug.
            roll_back(journal, self.host, self.entry("rolled_back", "internal error"))
            raise
        return self._finish(journal, "applied")

    def _record_unchanged(self) -> None:
        for resource in self.plan.in_sync.values():
            resource.record_unchanged(self.host)

    def _guard(self) -> PlaceGuard:
        recorded = protected_on(self.host, self.ledger.all_rows)
        return PlaceGuard(protected_folders(self.plan.desired, recorded))

    def _rows(self, done: Done) -> dict[Ref, LedgerRow]:
        return with_places(rows_after(self.ledger.rows, self.plan, done, self.at))

    def _record_protection(self, rows: Rows) -> None:
        """Before the ledger is written, so that neither is ever without what the other has."""
        try:
            write_record(self.host, rows)
        except ReconcileError as error:
            # The ledger has it, and the next apply tries again.
            self.add_note(f"Protected folders are in the ledger only: {in_one_line(error)}")

    def _execute_all(self) -> None:
        """Make every change, and those that only became known by one of them."""
        planned = self.plan.changes
        self._execute_changes(planned)
        if self.replan and any(one.after and one.after.reveals_changes for one in planned):
            revealed = self.replan()
            refuse_unclear(revealed)
            _refuse_deletions(revealed)
            self.plan = _followed_by(self.plan, revealed)
            for change in revealed.changes:
                self.on_event(Event("planned_change", change))
            self._execute_changes(revealed.changes)

    def _execute_changes(self, changes: Sequence[Change]) -> None:
        """Make the changes of one plan; what is served goes once nginx has the new files."""
        two_steps = {change.ref: change for change in changes if self._removes_later(change)}
        kept = [number for number, change in enumerate(changes, 1) if change.after is not None]
        end = max(kept, default=0)
        for change in changes[:end]:
            self._execute(change, removes_later=change.ref in two_steps)
        for change in two_steps.values():
            with self._reporting(change):
                self._remove(change)
        for change in changes[end:]:
            self._execute(change)

    def _check_stays_up(self) -> None:
        """After all of them, so that the waits for many coincide."""
        for change in self.plan.changes:
            if change.after is not None:
                change.after.check_stays_up(self.host)

    def _removes_later(self, change: Change) -> bool:
        """Whether it removes some of what it holds, and no change needs that gone."""
        if change.before is None or change.after is None:
            return False
        if change.before.waits_for_switch():
            return True
        paths = tuple(change.before.pruned_paths())
        others = (one.before or one.subject for one in self.plan.changes if one.after is not None)
        return bool(paths) and not any(one.needs_gone(path) for one in others for path in paths)

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

    def _execute(self, change: Change, *, removes_later: bool = False) -> None:
        self.on_event(Event("apply_start", change))
        with self._reporting(change, is_complete=not removes_later):
            self._apply_or_delete(change, removes_later=removes_later)

    def _apply_or_delete(self, change: Change, *, removes_later: bool) -> None:
        """Apply or delete, then observe."""
        if change.after is None:
            change.subject.delete(self.host)
            self._note_if_kept(change)
            self.done[change.ref] = None
        elif removes_later:
            change.after.apply_but_removals(self.host, change.before)
            self.done[change.ref] = change.after
        else:
            if change.after.is_switch:
                self._refuse_failed(self._check(partial(self.verify_started, change.after)))
            change.after.apply(self.host, change.before)
            self._observe(change, change.after)

    def _remove(self, change: Change) -> None:
        """The second step of a change that removes a part of what it holds."""
        if change.before is not None and change.after is not None:
            change.after.apply_removals(self.host, change.before)
            self._observe(change, change.after)

    def _observe(self, change: Change, after: Resource) -> None:
        observed = after.refresh(self.host, change.before)
        if observed is None or not _is_theirs(change):
            # What others changed again meanwhile is found and noted by the plan afterwards.
            _refuse_not_converged(change.ref, observed, self.plan.desired[change.ref].resource)
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

    def _refuse_leftovers(self) -> None:
        """Plan again: one apply is enough, or it fails. Errors: NotConverged."""
        plan = self.replan() if self.replan else None
        if plan is None:
            return
        # That it is gone was observed; its path may lead through a new link that is not followed.
        removed = {change.ref for change in self.plan.changes if change.after is None}
        left = []
        for change in plan.changes:
            if _is_theirs(change):
                self.add_note(f"{change.ref} changed during the apply: {change.reason}")
            elif self._was_left_alone(change):
                self.add_note(
                    f"{change.ref} has files that were left alone while somebody else could write"
                    " there: check them, then plan again."
                )
            else:
                left.append(change)
        reasons = [
            *(f"{change.ref}: {change.reason or change.action}" for change in left),
            *(f"{item.ref}: {item.reason}" for item in plan.unknown if item.ref not in removed),
        ]
        if reasons:
            raise NotConverged(
                f"The host still differs after the changes: {counted(len(reasons), 'resource')}.",
                "; ".join(reasons),
                "Check whether another program changes it. If none does, report this as a bug.",
            )

    def _was_left_alone(self, change: Change) -> bool:
        """Whether it is only what this plan skipped: the host may prove now whose it is."""
        planned = {one.ref: one.before for one in self.plan.changes}
        first = planned.get(change.ref) or self.plan.in_sync.get(change.ref)
        return first is not None and change.before is not None and first.left_alone(change.before)

    def _check(self, verify: Verify) -> tuple[Check, ...]:
        checks = tuple(verify())
        for check in checks:
            self.on_event(Event("check", check=check))
        return checks

    def _refuse_failed(self, checks: Sequence[Check]) -> None:
        bad = failed_checks(checks)
        if bad:
            raise VerificationFailed(
                f"Verification failed: {len(bad)} of {len(checks)} checks.",
                failure_reasons(bad),
            )

    def _handle_failure(self, journal: Journal, error: ReconcileError) -> Report:
        if prevented := why_only_by_hand(journal, self.host):
            error = _not_rolled_back(error, prevented)
        if prevented or not self.may_roll_back:
            self._commit(journal, "failed", error.what)
            return self._finish(journal, "failed", error)
        try:
            # The handler itself may have failed, with a closed pipe.
            self.on_event(Event("rollback", message=error.what))
        finally:
            worse = self._roll_back(journal, error)
        if worse:
            why = "\n".join(part for part in (error.what, error.why, worse.why) if part)
            return self.report("failed", ReconcileError(worse.what, why, worse.fix))
        self._verify_rollback()
        self._note_not_undone()
        return self.report("rolled_back", error)

    def _note_not_undone(self) -> None:
        steps = [step for one in self.plan.changes for step in one.subject.irreversible_steps()]
        for step in dict.fromkeys(steps):
            self.add_note(f"Not undone: `{step}` has run. The version before meets what it left.")

    def _roll_back(self, journal: Journal, error: ReconcileError) -> RollbackFailed | None:
        try:
            left = roll_back(journal, self.host, self.entry("rolled_back", error.what))
        except RollbackFailed as worse:
            return worse
        self.notes += left
        self.restored = not left
        return None

    def _verify_rollback(self) -> None:
        try:
            bad = failed_checks(self._check(self.verify_rolled_back))
        except (ReconcileError, OSError) as error:
            self.add_note(f"Verification after the rollback failed: {in_one_line(error)}")
            return
        if bad:
            self.restored = False
            names = ", ".join(check.name for check in merged_versions(bad))
            self.add_note(f"Still failing after the rollback: {names}")

    def _commit(self, journal: Journal, result: ApplyResult, error: str = "") -> None:
        """Fix the outcome: from here on nothing is rolled back."""
        journal.close()
        rows = self._rows(self.done)
        self._record_protection(rows)
        after, row = next_records(self.ledger, rows, self.entry(result, error))
        journal.commit(row, after)

    def _finish(
        self, journal: Journal, result: ApplyResult, error: ReconcileError | None = None
    ) -> Report:
        try:
            journal.finalize()
            prune_journals(self.host)
        except (ReconcileError, OSError) as trouble:
            self.add_note(
                f"Recording the outcome failed; the next apply completes it: {in_one_line(trouble)}"
            )
        return self.report(result, error)

    def report(self, result: ApplyResult, error: ReconcileError | None = None) -> Report:
        """What was done, and how it ended."""
        kept = () if result == "rolled_back" else self._completed_changes()
        report = Report(
            self.plan,
            result,
            kept,
            self.checks,
            elapsed_s=monotonic() - self.started,
            notes=tuple(self.notes),
            ended_by=self.signal,
            restored=self.restored,
        )
        if error is None:
            return report
        is_stale = isinstance(error, StalePlan)
        return replace(report, error=error.what, why=error.why, fix=error.fix, is_stale=is_stale)

    def entry(self, result: str, error: str = "") -> HistoryEntry:
        """The row of the history for this result."""
        changes = self.plan.changes if result == "begun" else self._completed_changes()
        return HistoryEntry(
            self.at,
            self.by,
            result,
            tuple((str(change.ref), change.action, change.cause) for change in changes),
            self.plan.config.digest if self.plan.config else "",
            self.plan.fingerprint,
            error,
            round(monotonic() - self.started, 3),
        )

    def _completed_changes(self) -> tuple[Change, ...]:
        return tuple(change for change in self.plan.changes if change.ref in self.done)

    def add_note(self, note: str) -> None:
        """Report a note now, and again at the end."""
        self.notes.append(note)
        self.on_event(Event("note", message=note))


def _refuse_deletions(revealed: Plan) -> None:
    """Nobody has approved them, and no limit has counted them."""
    gone = [str(change.ref) for change in revealed.changes if change.action == "delete"]
    if gone:
        raise NotConverged(
            "What the changes revealed would delete something.",
            "; ".join(gone),
            "Plan again: it shows the deletions.",
        )


def _followed_by(plan: Plan, revealed: Plan) -> Plan:
    """`plan`, and what `revealed` changes on top; a resource of both counts as in the first."""
    known = {change.ref for change in plan.changes}
    more = (change for change in revealed.changes if change.ref not in known)
    return replace(
        revealed,
        changes=(*plan.changes, *more),
        fingerprint=plan.fingerprint,
        released=plan.released | revealed.released,
    )


def _not_rolled_back(error: ReconcileError, prevented: str) -> ReconcileError:
    return ReconcileError(
        error.what,
        "\n".join(filter(None, (error.why, f"It was not rolled back: {prevented}."))),
        "Correct the app, then apply again. If the release before works with what was left:"
        " reconcile rollback",
    )


def _is_theirs(change: Change) -> bool:
    """Whether others change it at any moment, as an app does its uploads."""
    return change.subject.protected or change.subject.is_shared


@contextmanager
def _with_recorder(host: Host, journal: Journal, guard: PlaceGuard) -> Iterator[None]:
    host.recorder, host.guard = journal, guard
    try:
        yield
    finally:
        host.recorder = None


def _refuse_not_converged(ref: Ref, observed: Resource | None, desired: Resource) -> None:
    """Refuse any difference that is left after writing."""
    left = differences(observed, desired)
    if observed is not None and not left:
        return
    deviations = "; ".join(f"{f.name} is {f.before!r}, not {f.after!r}" for f in left)
    raise NotConverged(
        f"{ref} does not match the desired state after being written.",
        "it is absent" if observed is None else deviations,
        "Check whether another program changes it, and whether its filesystem supports it.",
    )


def _as_error(error: ReconcileError | OSError | Interrupted) -> ReconcileError:
    if isinstance(error, ReconcileError):
        return error
    if isinstance(error, Interrupted):
        return ReconcileError(f"{INTERRUPTED} by {error}.")
    return ReconcileError(
        "A change failed.", in_one_line(error) if isinstance(error, OSError) else ""
    )
