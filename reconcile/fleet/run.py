"""Carries out a rollout: starts jobs, waits for answers, and keeps to the order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from reconcile.fleet.answer import HostAnswer
from reconcile.fleet.rollout import Order, Rollout
from reconcile.fleet.work import Job


class Asks(Protocol):
    """Asks many hosts at once."""

    def start(self, job: Job) -> None:
        """Ask the job's host; `next_answer` returns its answer."""

    def next_answer(self) -> tuple[str, HostAnswer]:
        """The name and the answer of the next host that ends."""


def run_rollout(
    rollout: Rollout,
    connections: Asks,
    job_of: Callable[[str], Job],
    on_answer: Callable[[str, HostAnswer], HostAnswer],
    after_step: Callable[[tuple[str, ...]], None] = lambda _hosts: None,
) -> None:
    """Ask the hosts of each step, up to the end or to a limit.

    `on_answer` records an answer, and returns what it means for the rollout; `after_step` gets
    the hosts of a step that has ended below the limits.
    """
    for _, hosts in rollout.steps():
        _start_jobs(rollout, connections, job_of)
        while rollout.running:
            name, answer = connections.next_answer()
            rollout.finish(name, on_answer(name, answer).outcome)
            _start_jobs(rollout, connections, job_of)
        if not rollout.stopped_by:
            after_step(hosts)


def ask_all(
    hosts: tuple[str, ...],
    parallel: int,
    connections: Asks,
    job_of: Callable[[str], Job],
    on_answer: Callable[[str, HostAnswer], HostAnswer] = lambda _name, answer: answer,
) -> dict[str, HostAnswer]:
    """The answers of hosts in no order."""
    answers: dict[str, HostAnswer] = {}

    def keep(name: str, answer: HostAnswer) -> HostAnswer:
        """Keep the answer of a host."""
        answers[name] = on_answer(name, answer)
        return answers[name]

    run_rollout(Rollout(Order((hosts,), parallel)), connections, job_of, keep)
    return answers


def _start_jobs(rollout: Rollout, connections: Asks, job_of: Callable[[str], Job]) -> None:
    for name in rollout.start_next():
        connections.start(job_of(name))
