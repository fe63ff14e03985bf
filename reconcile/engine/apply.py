"""Applying a plan as a whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from reconcile.engine.apply_report import ApplyResult, Event, EventHandler, Report, discard_event
from reconcile.engine.checks import failed_checks, failure_reasons, merged_versions
from reconcile.engine.convergence import refuse_deletions, refuse_leftovers
from reconcile.engine.data_protection import protected_folders
from reconcile.engine.execution import Done, Execution
from reconcile.engine.history import INTERRUPTED, Actor, HistoryEntry
from reconcile.engine.interrupt import Interrupted, SignalHandler, uninterrupted
from reconcile.engine.journal import Journal
from reconcile.engine.ledger import Ledger, LedgerRow, Rows, encode, rows_after
from reconcile.engine.ledger_store import next_records, now, write_records
from reconcile.engine.model import Change, Check, Plan
from reconcile.engine.protection_record import protected_on, read_owned, with_places, write_record
from reconcile.engine.recovery import why_only_by_hand
from reconcile.engine.resource import Ref, Resource
from reconcile.engine.rollback import RollbackFailed, prune_journals, roll_back
from reconcile.engine.safety_checks import refuse_unclear
from reconcile.engine.scopes import passed_over
from reconcile.engine.verification import Verification, Verify, refuse_failed
from reconcile.errors import ReconcileError, StalePlan
from reconcile.filesystem.host_error import in_one_line
from reconcile.filesystem.place_guard import PlaceGuard

if TYPE_CHECKING:
    from reconcile.system import Host

Replan = Callable[[], Plan]


def apply(
    plan: Plan,
    host: Host,
    verification: Verification,
    *,
    on_event: EventHandler,
    by: Actor,
    replan: Replan | None = None,
    roll_back: bool = True,
) -> Report:
    """Apply `plan`; the caller holds the lock, has recovered, and planned just now.

    `replan` plans again once everything is done: what is left then fails the apply.

    Any failure, of a check too, rolls everything back unless `roll_back` is False. The report
    has the checks that decided.
    Errors: ReconcileError, if the plan is refused before anything has changed.
    """
    refuse_unclear(plan)
    ledger = _owned(plan, host)
    run = _ApplyRun(plan, host, ledger, verification, on_event, by, replan, roll_back)
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
    run = _ApplyRun(plan, host, _owned(plan, host), Verification(tuple, tuple), discard_event, by)
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
    verification: Verification
    on_event: EventHandler
    by: Actor
    replan: Replan | None = None
    may_roll_back: bool = True
    started: float = field(default_factory=monotonic)
    at: str = field(default_factory=now)
    notes: list[str] = field(default_factory=list)
    checks: tuple[Check, ...] = ()
    signal: int = 0
    restored: bool = True

    def __post_init__(self) -> None:
        self.execution = Execution(self.host, self.on_event, self.add_note, self._check_started)

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
                self.execution.check_stays_up(self.plan)
                self._record_unchanged()
                self._refuse_leftovers()
                self.checks = self._check(self.verification.applied)
                refuse_failed(self.checks)
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
        self.execution.execute(self.plan, planned)
        if self.replan and any(one.after and one.after.reveals_changes for one in planned):
            revealed = self.replan()
            refuse_unclear(revealed)
            refuse_deletions(revealed)
            self.plan = _followed_by(self.plan, revealed)
            for change in revealed.changes:
                self.on_event(Event("planned_change", change))
            self.execution.execute(self.plan, revealed.changes)

    def _refuse_leftovers(self) -> None:
        """Plan again: nothing of the plan may be left. Errors: NotConverged.

        What changed nothing else was observed when it was done, and the rest just before.
        """
        if self.replan and has_consequences(self.plan):
            refuse_leftovers(self.plan, self.replan(), self.add_note)

    def _check_started(self, switch: Resource) -> None:
        refuse_failed(self._check(partial(self.verification.started, switch)))

    def _check(self, verify: Verify) -> tuple[Check, ...]:
        checks = tuple(verify())
        for check in checks:
            self.on_event(Event("check", check=check))
        return checks

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
            self.add_note(
                f"Not undone: `{step}` has run; the previous version now runs with what it left."
            )

    def _roll_back(self, journal: Journal, error: ReconcileError) -> RollbackFailed | None:
        try:
            left = roll_back(journal, self.host, self.entry("rolled_back", error.what))
        except RollbackFailed as worse:
            return worse
        self.notes += (*left.notes, *left.kept)
        self.restored = not (left.notes or left.kept)
        return None

    def _verify_rollback(self) -> None:
        try:
            bad = failed_checks(self._check(self.verification.rolled_back))
        except (ReconcileError, OSError) as error:
            self.add_note(f"Verification after the rollback failed: {in_one_line(error)}")
            return
        if bad:
            self.restored = False
            found = failure_reasons(merged_versions(bad))
            self.add_note(f"Still failing after the rollback: {found}")

    def _commit(self, journal: Journal, result: ApplyResult, error: str = "") -> None:
        """Fix the outcome: from here on nothing is rolled back."""
        journal.close()
        rows = self._rows(self.execution.done)
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
        return tuple(change for change in self.plan.changes if change.ref in self.execution.done)

    def add_note(self, note: str) -> None:
        """Report a note now, and again at the end."""
        self.notes.append(note)
        self.on_event(Event("note", message=note))


def has_consequences(plan: Plan) -> bool:
    """Whether one of its changes can make anything else differ."""
    return any(change.subject.has_consequences for change in plan.changes)


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
        "Correct the app, then apply again. If the previous release works with what was left:"
        " reconcile rollback",
    )


@contextmanager
def _with_recorder(host: Host, journal: Journal, guard: PlaceGuard) -> Iterator[None]:
    host.recorder, host.guard = journal, guard
    try:
        yield
    finally:
        host.recorder = None


def _as_error(error: ReconcileError | OSError | Interrupted) -> ReconcileError:
    if isinstance(error, ReconcileError):
        return error
    if isinstance(error, Interrupted):
        return ReconcileError(f"{INTERRUPTED} by {error}.")
    return ReconcileError(
        "A change failed.", in_one_line(error) if isinstance(error, OSError) else ""
    )
