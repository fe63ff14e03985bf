"""Carries out the saved plans of a fleet, in the order of its rollout."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from reconcile.errors import ReconcileError, StalePlan
from reconcile.fleet.answer import HostAnswer, State
from reconcile.fleet.rollout import Outcome, Rollout
from reconcile.fleet.rollout_record import HostPlanRecord, Index, Record, SavedPlans, file_digest
from reconcile.fleet.run import run_rollout
from reconcile.fleet.work import Job

if TYPE_CHECKING:
    from reconcile.fleet.session import OnAnswer, Session

FINAL: frozenset[State] = frozenset({"applied", "in_sync", "failed", "stale"})
"""States that a resumed rollout leaves as they are; all other hosts are asked again."""


class Applied(NamedTuple):
    """How all hosts ended, in the order of the file, and the limit that ended it, or ""."""

    answers: Mapping[str, HostAnswer]
    steps: Mapping[str, int]
    stopped_by: str


def refuse_other_fleet(index: Index, file: str) -> None:
    """Refuse plans that another fleet.yaml was planned from. Errors: StalePlan."""
    if index.fleet_digest != file_digest(file):
        raise StalePlan(
            "The saved plans are stale.",
            f"{file} has changed since they were made",
            "Plan again with `reconcile fleet plan --out DIR`. No host was contacted.",
        )


def apply_fleet(
    session: Session,
    saved: SavedPlans,
    index: Index,
    record: Record,
    *,
    resumes: bool,
    on_answer: OnAnswer,
) -> Applied:
    """Apply each host's plan. Errors: ReconcileError where that was begun already."""
    if record.started and not resumes:
        ended = len(record.finished)
        raise ReconcileError(
            f"{saved.path} was applied before",
            f"{len(record.started)} of {len(index.hosts)} hosts were asked, {ended} have ended",
            "Use --resume to continue it, or plan again. No host was contacted.",
        )
    rollout = _Applying(session, saved, index, record, on_answer)
    rollout.run()
    return rollout.ended()


class _Applying:
    """One rollout in progress."""

    def __init__(
        self,
        session: Session,
        saved: SavedPlans,
        index: Index,
        record: Record,
        on_answer: OnAnswer,
    ) -> None:
        self._session, self._saved, self._record = session, saved, record
        self._on_answer = on_answer
        without_plan, final = _without_plans(session, index), _final(record)
        self.answers = {**without_plan, **final}
        self._order = session.order()
        outcomes = {
            **{name: _outcome_without_plan(answer) for name, answer in without_plan.items()},
            **{name: answer.outcome for name, answer in final.items()},
        }
        self._rollout = Rollout(self._order, outcomes)
        self._to_verify_again = self._not_verified_again()

    def run(self) -> None:
        """Ask hosts up to the end or to a limit."""
        run_rollout(
            self._rollout,
            self._session.connections,
            self._job,
            self._finish,
            self._verify_again if self._session.fleet.rollout.pause else lambda _hosts: None,
        )

    def ended(self) -> Applied:
        """How all hosts ended."""
        skipped = dict.fromkeys(self._rollout.skipped, HostAnswer("skipped"))
        steps = {host: number for number, step in enumerate(self._order.steps, 1) for host in step}
        known = {**skipped, **self.answers}
        answers = {name: known[name] for name in self._session.targets}
        return Applied(answers, steps, self._rollout.stopped_by)

    def _job(self, name: str) -> Job:
        was_started = name in self._record.started
        if not was_started:
            self._record.start(name)
        return self._session.work.job(
            self._session.targets[name],
            "apply",
            self._session.packages[name],
            saved_plan=self._saved.read_plan(name),
            is_repeated=was_started,
        )

    def _finish(self, name: str, answer: HostAnswer) -> HostAnswer:
        self._record.finish(name, answer)
        self._to_verify_again.add(name)
        self.answers[name] = answer
        return self._on_answer(name, answer)

    def _verify_again(self, hosts: tuple[str, ...]) -> None:
        """Verify what this step applied, after the pause: some faults take a while to show."""
        applied = [
            host for host in hosts if host in self._to_verify_again and self._is_applied(host)
        ]
        if not applied:
            return
        time.sleep(self._session.fleet.rollout.pause)
        for name, answer in self._session.ask("verify", applied, lambda _name, one: one).items():
            if answer.state != "in_sync":
                problem = f"applied, but after the pause: {answer.problem or 'checks fail'}"
                worse = replace(answer, state=_state_after_pause(answer.state), problem=problem)
                self._rollout.finish(name, self._finish(name, worse).outcome)

    def _not_verified_again(self) -> set[str]:
        """The hosts of the step in which the last run ended: the pause after it was not over."""
        started = self._record.started
        steps = (step for step in reversed(self._order.steps) if not started.isdisjoint(step))
        return {host for host in next(steps, ()) if host in self._record.finished}

    def _is_applied(self, name: str) -> bool:
        return self.answers[name].state == "applied"


def _state_after_pause(state: State) -> State:
    return state if state in ("unreachable", "unknown") else "failed"


def _final(record: Record) -> dict[str, HostAnswer]:
    return {name: one for name, one in record.finished.items() if one.state in FINAL}


def _without_plans(session: Session, index: Index) -> dict[str, HostAnswer]:
    """The hosts without a plan that can be carried out, each with the reason."""
    found = {}
    for name, package in session.packages.items():
        planned = index.hosts.get(name)
        answer = _without_plan(planned, package.digest)
        if answer is not None:
            found[name] = answer
    return found


def _outcome_without_plan(answer: HostAnswer) -> Outcome:
    """An error while planning was shown before the rollout was begun; it stops nothing."""
    return answer.outcome if answer.state in ("in_sync", "unreachable") else "other"


def _without_plan(planned: HostPlanRecord | None, config: str) -> HostAnswer | None:
    if planned is None:
        return HostAnswer("stale", problem="it was not planned")
    if planned.state != "drift":
        problem = f"when it was planned: {planned.problem}" if planned.problem else ""
        return HostAnswer(planned.state, planned.exit_code, problem=problem)
    if planned.config != config:
        return HostAnswer(
            "stale", problem="its configuration, or a file of it, changed after the plan"
        )
    return None
