"""Saved plans in the order of the rollout: what is asked again, and what is not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from reconcile.errors import LockHeld, ReconcileError
from reconcile.fleet.answer import HostAnswer, State
from reconcile.fleet.apply_rollout import Applied, apply_fleet
from reconcile.fleet.rollout import Order, StopLimits
from reconcile.fleet.rollout_record import HostPlanRecord, Index, SavedPlans
from reconcile.fleet.run import ask_all

NO_LIMITS = StopLimits()


class Scripted:
    """A session whose hosts answer from a script; `asked` holds who was, and how often."""

    def __init__(
        self,
        apply: Mapping[str, State],
        verify: Mapping[str, State] | None = None,
        *,
        limits: StopLimits = NO_LIMITS,
        pause: int = 0,
    ) -> None:
        self.answers = {"apply": apply, "verify": verify or {}}
        self.limits = limits
        self.asked: list[tuple[str, bool]] = []
        self._waiting: list[tuple[str, str]] = []
        self.targets = {name: name for name in apply}
        self.packages = dict.fromkeys(apply, SimpleNamespace(digest="sha256:x"))
        self.fleet = SimpleNamespace(rollout=SimpleNamespace(pause=pause))
        self.connections = self
        self.work = SimpleNamespace(job=self._job)

    def _job(self, target: str, command: str, _package: Any, **more: Any) -> Any:
        self.asked.append((target, more["is_repeated"]))
        return SimpleNamespace(command=command, name=target)

    def order(self) -> Order:
        return Order(tuple((name,) for name in self.targets), 10, self.limits)

    def start(self, job: Any) -> None:
        self._waiting.append((job.name, job.command))

    def next_answer(self) -> tuple[str, HostAnswer]:
        name, command = self._waiting.pop(0)
        return name, HostAnswer(self.answers[command].get(name, "in_sync"))

    def ask(self, command: str, names: Sequence[str], on_answer: Any) -> dict[str, HostAnswer]:
        def job_of(name: str) -> Any:
            return SimpleNamespace(command=command, name=name)

        return ask_all(tuple(names), 10, cast("Any", self), job_of, on_answer)


@pytest.fixture
def saved(tmp_path: Path) -> SavedPlans:
    folder = SavedPlans(str(tmp_path / "plans"))
    folder.create()
    return folder


def apply(
    session: Scripted, saved: SavedPlans, planned: Mapping[str, State], *, resumes: bool = False
) -> Applied:
    for name in planned:
        saved.save(name, HostAnswer("drift", 0, {}, saved_plan=b"{}"))
    index = Index(
        made_at="",
        fleet="",
        fleet_digest="",
        hosts={
            name: HostPlanRecord(state=state, exit_code=0, config="sha256:x")
            for name, state in planned.items()
        },
    )
    with saved.record() as record:
        return apply_fleet(
            cast("Any", session),
            saved,
            index,
            record,
            resumes=resumes,
            on_answer=lambda _name, answer: answer,
        )


def states(done: Applied) -> dict[str, str]:
    return {name: answer.state for name, answer in done.answers.items()}


def test_only_hosts_with_a_plan_are_asked(saved: SavedPlans) -> None:
    session = Scripted(dict.fromkeys("abcd", "applied"))

    done = apply(session, saved, {"a": "in_sync", "b": "drift", "c": "unreachable", "d": "error"})

    assert [("b", False)] == session.asked
    assert ["in_sync", "applied", "unreachable", "error"] == [*states(done).values()]


def test_an_error_while_planning_stops_no_rollout(saved: SavedPlans) -> None:
    session = Scripted(dict.fromkeys("ab", "applied"), limits=StopLimits(failed=1))

    assert "" == apply(session, saved, {"a": "error", "b": "drift"}).stopped_by


def test_hosts_unreachable_while_planning_count(saved: SavedPlans) -> None:
    session = Scripted(dict.fromkeys("ab", "applied"), limits=StopLimits(unreachable=1))

    done = apply(session, saved, {"a": "unreachable", "b": "drift"})

    assert ({"a": "unreachable", "b": "skipped"}, []) == (states(done), session.asked)
    assert done.stopped_by


def test_a_record_is_resumed_only_on_request(saved: SavedPlans) -> None:
    apply(Scripted({"a": "applied"}), saved, {"a": "drift"})

    with pytest.raises(ReconcileError, match="--resume"):
        apply(Scripted({"a": "applied"}), saved, {"a": "drift"})


def test_what_has_ended_is_not_asked_again(saved: SavedPlans) -> None:
    ended: dict[str, State] = {
        "a": "applied",
        "b": "stale",
        "c": "failed",
        "d": "unknown",
        "e": "unreachable",
        "f": "locked",
        "g": "error",
    }
    planned: dict[str, State] = dict.fromkeys(ended, "drift")
    apply(Scripted(ended), saved, planned)
    second = Scripted(dict.fromkeys(ended, "applied"))

    done = apply(second, saved, planned, resumes=True)

    assert [(name, True) for name in "defg"] == second.asked
    assert ["applied", "stale", "failed", *["applied"] * 4] == [*states(done).values()]


def test_a_host_whose_checks_fail_after_the_pause_stops_the_rest(
    saved: SavedPlans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    session = Scripted(
        dict.fromkeys("abc", "applied"), {"b": "failed"}, limits=StopLimits(failed=1), pause=60
    )

    done = apply(session, saved, dict.fromkeys("abc", "drift"))

    assert {"a": "applied", "b": "failed", "c": "skipped"} == states(done)
    assert "after the pause" in done.answers["b"].problem


def test_a_rollout_that_was_interrupted_in_its_pause_verifies_before_it_goes_on(
    saved: SavedPlans, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _seconds: None)
    with saved.record() as record:
        for name in "ab":
            record.start(name)
            record.finish(name, HostAnswer("applied", 0))
    verify: dict[str, State] = {"a": "failed", "b": "failed"}
    limits = StopLimits(failed=1)
    session = Scripted(dict.fromkeys("abc", "applied"), verify, limits=limits, pause=60)

    done = apply(session, saved, dict.fromkeys("abc", "drift"), resumes=True)

    # The second step had begun: the first one was verified again before.
    assert {"a": "applied", "b": "failed", "c": "skipped"} == states(done)


def test_a_folder_of_plans_is_applied_by_one_controller_at_a_time(saved: SavedPlans) -> None:
    with saved.record(), pytest.raises(LockHeld, match="applies"), saved.record():
        pass


def test_a_host_that_was_not_planned_is_stale(saved: SavedPlans) -> None:
    session = Scripted(dict.fromkeys("ab", "applied"))

    assert {"a": "applied", "b": "stale"} == states(apply(session, saved, {"a": "drift"}))


def test_a_line_that_was_not_written_whole_is_ignored(saved: SavedPlans) -> None:
    apply(Scripted({"a": "unknown"}), saved, {"a": "drift"})
    record = Path(saved.path, "record.jsonl")
    record.write_bytes(record.read_bytes() + b'{"at": "20')

    done = apply(Scripted({"a": "applied"}), saved, {"a": "drift"}, resumes=True)

    assert {"a": "applied"} == states(done)
    with saved.record() as again:
        assert {"a"} == again.finished.keys()
