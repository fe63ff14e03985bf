"""Carrying out a plan, so that it holds as a whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from time import monotonic
from typing import TYPE_CHECKING

from reconcile.engine.diff import differences
from reconcile.engine.history import Actor, HistoryEntry
from reconcile.engine.interrupt import Interrupted, interruptible, uninterrupted
from reconcile.engine.journal import Journal
from reconcile.engine.ledger import Ledger, encode, rows_after
from reconcile.engine.ledger_store import next_records, now, read_ledger, write_records
from reconcile.engine.model import ApplyResult, Change, Check, Event, Plan, Report, failed
from reconcile.engine.observe import error_reason
from reconcile.engine.resource import Ref, Resource
from reconcile.engine.rollback import Listen, RollbackFailed, prune_journals, roll_back
from reconcile.engine.safety_checks import refuse_unclear
from reconcile.errors import ReconcileError

if TYPE_CHECKING:
    from reconcile.system import Host

Verify = Callable[[], Sequence[Check]]
Done = dict[Ref, Resource | None]


class NotConverged(ReconcileError):
    """What was read back is not what was written."""


class VerificationFailed(ReconcileError):
    """The host is as planned, and does not answer as it should."""


def apply(
    plan: Plan,
    host: Host,
    *,
    verify: Verify,
    verify_rolled_back: Verify,
    listen: Listen,
    by: Actor,
    roll_back: bool = True,
) -> Report:
    """Carry out `plan`; the caller holds the lock, has recovered, and planned just now.

    Anything that fails, a check too, takes everything back unless `roll_back` is False;
    `verify_rolled_back` then checks what held before. The report has the checks that decided.
    Errors: ReconcileError where the plan is refused before anything has changed.
    """
    refuse_unclear(plan)
    ledger = read_ledger(host.state)
    attempt = _Attempt(plan, host, ledger, verify, verify_rolled_back, listen, by, roll_back)
    if not plan.changes:
        return attempt.take_over()
    for declared in plan.desired.values():
        for note in declared.resource.preflight(host, plan.changes):
            attempt.tell(note)
    return attempt.run()


@dataclass
class _Attempt:
    plan: Plan
    host: Host
    ledger: Ledger
    verify: Verify
    verify_rolled_back: Verify
    listen: Listen
    by: Actor
    may_roll_back: bool
    started: float = field(default_factory=monotonic)
    at: str = field(default_factory=now)
    done: Done = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    checks: tuple[Check, ...] = ()
    ended_by: int = 0

    def take_over(self) -> Report:
        """Own what is as declared already; writes only where that is news."""
        rows = rows_after(self.ledger.rows, self.plan, {}, self.at)
        if rows != self.ledger.rows:
            entry = self._entry("no_changes")
            write_records(self.host.state, *next_records(self.ledger, rows, entry))
        return self._report("no_changes")

    def run(self) -> Report:
        journal = Journal.begin(self.host.state, encode(self.ledger), self._entry("begun"))
        try:
            with interruptible(), _recording(self.host, journal):
                self._carry_out()
                self.checks = self._check(self.verify)
                self._refuse_failed(self.checks)
            self._decide(journal, "applied")
        except (ReconcileError, OSError, Interrupted) as error:
            self.ended_by = error.number if isinstance(error, Interrupted) else 0
            return self._failed(journal, _as_error(error))
        except BaseException:
            # A fault of ours: the host is put back all the same, then the fault is told.
            roll_back(journal, self.host, self._entry("rolled_back", "internal error"))
            raise
        return self._stands(journal, "applied")

    def _carry_out(self) -> None:
        for change in self.plan.changes:
            began = monotonic()
            self.listen(Event("apply_start", change))
            self.host.on_copy_progress = partial(self._tell_progress, change)
            try:
                self.done[change.ref] = self._make(change)
            except (ReconcileError, OSError) as error:
                elapsed = monotonic() - began
                self.listen(Event("apply_errored", change, None, error_reason(error), elapsed))
                raise
            finally:
                self.host.on_copy_progress = None
            self.listen(Event("apply_complete", change, elapsed_s=monotonic() - began))

    def _tell_progress(self, change: Change, done: int, total: int) -> None:
        self.listen(Event("apply_progress", change, done=done, total=total))

    def _make(self, change: Change) -> Resource | None:
        """Put or remove, then read back; what was read."""
        if change.after is None:
            change.subject.delete(self.host)
            self._note_what_stayed(change)
            return None
        change.after.apply(self.host, change.before)
        seen = change.after.refresh(self.host, change.before)
        _refuse_other(change.ref, seen, self.plan.desired[change.ref].resource)
        return seen

    def _note_what_stayed(self, change: Change) -> None:
        # As the ledger asks: a service that was running is gone once it has come to rest.
        there = type(change.subject).from_name(change.ref.name).observe(self.host)
        if there is None:
            return
        why = there.why_not_removable(frozenset())
        if not why:
            raise NotConverged(f"{change.ref} was removed and is still there.")
        self.tell(f"{change.ref} stays: {why}")

    def _check(self, verify: Verify) -> tuple[Check, ...]:
        checks = tuple(verify())
        for check in checks:
            self.listen(Event("check", check=check))
        return checks

    def _refuse_failed(self, checks: Sequence[Check]) -> None:
        bad = failed(checks)
        if bad:
            raise VerificationFailed(
                f"Verification failed: {len(bad)} of {len(checks)} checks.",
                "; ".join(f"{check.name}: {check.detail or check.status}" for check in bad),
            )

    def _failed(self, journal: Journal, error: ReconcileError) -> Report:
        if not self.may_roll_back:
            self._decide(journal, "failed", error.what)
            return self._stands(journal, "failed", error)
        try:
            # Whoever listens may be the one who is broken: a closed pipe.
            self.listen(Event("rollback", message=error.what))
        finally:
            worse = self._rolled_back(journal, error)
        if worse:
            why = "; ".join(part for part in (error.what, error.why, worse.why) if part)
            return self._report("failed", ReconcileError(worse.what, why, worse.fix))
        self._check_again()
        return self._report("rolled_back", error)

    def _rolled_back(self, journal: Journal, error: ReconcileError) -> RollbackFailed | None:
        try:
            self.notes += roll_back(journal, self.host, self._entry("rolled_back", error.what))
        except RollbackFailed as worse:
            return worse
        return None

    def _check_again(self) -> None:
        try:
            bad = failed(self._check(self.verify_rolled_back))
        except (ReconcileError, OSError) as error:
            self.tell(f"The host could not be verified after the rollback: {error_reason(error)}")
            return
        if bad:
            names = ", ".join(check.name for check in bad)
            self.tell(f"After the rollback, too, these checks do not pass: {names}")

    def _decide(self, journal: Journal, result: ApplyResult, error: str = "") -> None:
        """From here on what was done stands."""
        with uninterrupted():
            journal.close()
            rows = rows_after(self.ledger.rows, self.plan, self.done, self.at)
            after, row = next_records(self.ledger, rows, self._entry(result, error))
            journal.commit(row, after)

    def _stands(
        self, journal: Journal, result: ApplyResult, error: ReconcileError | None = None
    ) -> Report:
        try:
            with uninterrupted():
                journal.finalize()
                prune_journals(self.host)
        except (ReconcileError, OSError) as trouble:
            self.tell(f"It is done, but not all of it is written down yet: {error_reason(trouble)}")
        return self._report(result, error)

    def _report(self, result: ApplyResult, error: ReconcileError | None = None) -> Report:
        kept = () if result == "rolled_back" else self._made()
        report = Report(
            self.plan,
            result,
            kept,
            self.checks,
            elapsed_s=monotonic() - self.started,
            notes=tuple(self.notes),
            ended_by=self.ended_by,
        )
        if error is None:
            return report
        return replace(report, error=error.what, why=error.why, fix=error.fix)

    def _entry(self, result: str, error: str = "") -> HistoryEntry:
        changes = self.plan.changes if result == "begun" else self._made()
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

    def _made(self) -> tuple[Change, ...]:
        return tuple(change for change in self.plan.changes if change.ref in self.done)

    def tell(self, note: str) -> None:
        self.notes.append(note)
        self.listen(Event("note", message=note))


@contextmanager
def _recording(host: Host, journal: Journal) -> Iterator[None]:
    host.recorder = journal
    try:
        yield
    finally:
        host.recorder = None


def _refuse_other(ref: Ref, seen: Resource | None, asked: Resource) -> None:
    """A difference that is left after writing is an error, never a success."""
    left = differences(seen, asked)
    if seen is not None and not left:
        return
    told = "; ".join(f"{f.name} is {f.before!r}, not {f.after!r}" for f in left)
    raise NotConverged(
        f"{ref} was written and is not as it should be.",
        "nothing is there" if seen is None else told,
        "Something else on the host changes it, or its filesystem cannot hold it.",
    )


def _as_error(error: ReconcileError | OSError | Interrupted) -> ReconcileError:
    if isinstance(error, ReconcileError):
        return error
    if isinstance(error, Interrupted):
        return ReconcileError("The apply was interrupted.", f"by {error}")
    return ReconcileError("The host refused a change.", error_reason(error))
