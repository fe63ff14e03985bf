"""The order of a rollout: steps are barriers, and limits count over the whole of it."""

from __future__ import annotations

import heapq
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.fleet.answer import HostAnswer, State
from reconcile.fleet.rollout import (
    Order,
    Rollout,
    StepMembers,
    StepShare,
    StopLimits,
    resolve_steps,
)
from reconcile.fleet.run import run_rollout
from reconcile.fleet.work import Job

Script = dict[str, tuple[State, int]]
STATES: tuple[State, ...] = ("applied", "failed", "unreachable", "stale", "unknown")


class Scripted:
    """Hosts that answer from a script, after the time in it; nothing waits."""

    def __init__(self, script: Script) -> None:
        self.script, self.clock = script, 0
        self.running: list[tuple[int, int, str]] = []
        self.events: list[tuple[str, str]] = []
        self.most = 0

    def start(self, job: Job) -> None:
        name = cast("Any", job)
        self.events.append(("start", name))
        end = self.clock + self.script[name][1]
        heapq.heappush(self.running, (end, len(self.events), name))
        self.most = max(self.most, len(self.running))

    def next_answer(self) -> tuple[str, HostAnswer]:
        self.clock, _, name = heapq.heappop(self.running)
        self.events.append(("end", name))
        return name, HostAnswer(self.script[name][0])


def rolled_out(order: Order, script: Script) -> tuple[Scripted, Rollout]:
    hosts, rollout = Scripted(script), Rollout(order)
    run_rollout(rollout, hosts, lambda name: cast("Any", name), lambda _name, answer: answer)
    return hosts, rollout


def model(order: Order, script: Script) -> list[str]:
    """Who is asked, in a few lines: the first of the step that may, whenever one ends."""
    asked, ended = list[str](), list[str]()

    def is_over() -> bool:
        failed = sum(script[name][0] in ("failed", "unknown") for name in ended)
        lost = sum(script[name][0] == "unreachable" for name in ended)
        limits = order.limits
        return failed >= (limits.failed or 1e9) or lost >= (limits.unreachable or 1e9)

    for step in order.steps:
        waiting, running, clock = [*step], list[tuple[int, int, str]](), 0
        while running or (waiting and not is_over()):
            while waiting and len(running) < order.parallel and not is_over():
                name = waiting.pop(0)
                asked.append(name)
                running.append((clock + script[name][1], len(asked), name))
            clock, _, name = min(running)
            running.remove(min(running))
            ended.append(name)
    return asked


@st.composite
def rollouts(draw: st.DrawFn) -> tuple[Order, Script]:
    sizes = draw(st.lists(st.integers(1, 6), min_size=1, max_size=4))
    names = iter(f"h{number}" for number in range(sum(sizes)))
    steps = tuple(tuple(next(names) for _ in range(size)) for size in sizes)
    answer = st.tuples(st.sampled_from(STATES), st.integers(0, 9))
    script = {name: draw(answer) for step in steps for name in step}
    limit = st.none() | st.integers(1, 5)
    return Order(steps, draw(st.integers(1, 7)), StopLimits(draw(limit), draw(limit))), script


@settings(max_examples=300)
@given(rollouts())
def test_a_rollout_asks_whom_the_model_asks(case: tuple[Order, Script]) -> None:
    order, script = case

    hosts, rollout = rolled_out(order, script)

    started = [name for event, name in hosts.events if event == "start"]
    assert model(order, script) == started
    assert hosts.most <= order.parallel
    everybody = {name for step in order.steps for name in step}
    assert everybody == {*started, *rollout.skipped}
    assert bool(rollout.stopped_by) or not rollout.skipped


@given(rollouts())
def test_no_step_begins_before_the_one_before_it_has_ended(case: tuple[Order, Script]) -> None:
    order, script = case
    step_of = {name: number for number, step in enumerate(order.steps) for name in step}

    hosts, _ = rolled_out(order, script)

    at = 0
    running: set[str] = set()
    for event, name in hosts.events:
        if event == "start":
            assert step_of[name] >= at
            assert all(step_of[other] == step_of[name] for other in running)
            at = step_of[name]
            running.add(name)
        else:
            running.discard(name)


@given(rollouts(), st.data())
def test_a_rollout_that_is_resumed_contacts_no_host_twice(
    case: tuple[Order, Script], data: st.DataObject
) -> None:
    order, script = case
    hosts, whole = rolled_out(order, script)
    ended = [name for event, name in hosts.events if event == "end"]
    kept = ended[: data.draw(st.integers(0, len(ended)))]

    second = Scripted(script)
    rollout = Rollout(order, {name: HostAnswer(script[name][0]).outcome for name in kept})
    run_rollout(rollout, second, lambda name: cast("Any", name), lambda _name, answer: answer)

    asked = {name for event, name in second.events if event == "start"}
    assert not asked.intersection(kept)
    assert bool(whole.stopped_by) == bool(rollout.stopped_by)
    if not whole.stopped_by:
        assert whole.finished == rollout.finished


def test_ten_thousand_hosts_take_a_moment() -> None:
    names = tuple(f"h{number}" for number in range(10_000))
    order = Order((names[:100], names[100:]), 200, StopLimits(failed=101))
    script: Script = {name: ("failed" if name.endswith("77") else "applied", 3) for name in names}

    _, rollout = rolled_out(order, script)

    assert "" == rollout.stopped_by
    assert 10_000 == len(rollout.finished)


TAGS = {f"h{number}": frozenset({"canary"} if number in (3, 5) else ()) for number in range(20)}


@pytest.mark.parametrize(
    ("order", "sizes"),
    [
        (
            (
                StepMembers(tags=("canary",)),
                StepShare(10, True),
                StepShare(50, True),
                StepShare(100, True),
            ),
            [2, 8, 10],
        ),
        ((StepShare(1), StepShare(25, True)), [1, 4, 15]),
        ((StepMembers(hosts=("h7",), tags=("canary",)), StepShare(4)), [3, 1, 16]),
        ((), [20]),
    ],
)
def test_a_share_counts_all_earlier_steps_and_the_rest_comes_last(
    order: tuple[Any, ...], sizes: list[int]
) -> None:
    steps = resolve_steps(order, TAGS)

    assert sizes == [len(step) for step in steps]
    assert sorted(TAGS) == sorted(name for step in steps for name in step)


def test_a_percentage_is_at_least_one_host() -> None:
    assert [1, 1, 3] == [
        StepShare(5, True).of(20),
        StepShare(1, True).of(3),
        StepShare(5, True).of(60),
    ]
