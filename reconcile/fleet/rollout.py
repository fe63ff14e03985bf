"""The order of a rollout: steps as barriers, and limits that stop it. Pure: no host is asked."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from math import ceil
from types import MappingProxyType
from typing import Literal

from reconcile.dataclass import dataclass

Outcome = Literal["succeeded", "failed", "unreachable", "other"]
"""How a host counts: `other` is neither a success nor a failure, such as a stale plan."""
NO_OUTCOMES: Mapping[str, Outcome] = MappingProxyType({})


@dataclass(frozen=True)
class StopLimits:
    """Numbers of hosts that stop a rollout once they are reached; None never does."""

    failed: int | None = None
    unreachable: int | None = None


NO_LIMITS = StopLimits()


@dataclass(frozen=True)
class Order:
    """The steps, each a barrier, and how many hosts are asked at once."""

    steps: tuple[tuple[str, ...], ...]
    parallel: int
    limits: StopLimits = NO_LIMITS


class Rollout:
    """Which hosts come next, and whether any may.

    Limits count over the whole rollout, also what an interrupted one had `finished`.
    """

    def __init__(self, order: Order, finished: Mapping[str, Outcome] = NO_OUTCOMES) -> None:
        self.order = order
        self.finished: dict[str, Outcome] = dict(finished)
        self.running: set[str] = set()
        self._counts = Counter(self.finished.values())
        self._waiting: deque[str] = deque()

    def steps(self) -> Iterator[tuple[int, tuple[str, ...]]]:
        """The number and the hosts of each step, from 1; the next one once one is finished.

        It ends with the step in which a limit is reached.
        """
        for number, hosts in enumerate(self.order.steps, 1):
            if self.stopped_by:
                return
            self._waiting = deque(host for host in hosts if host not in self.finished)
            yield number, hosts

    def start_next(self) -> list[str]:
        """The hosts of the step to start now; each is running from then on."""
        chosen = list[str]()
        while self._waiting and not self.stopped_by and len(self.running) < self.order.parallel:
            chosen.append(self._waiting.popleft())
            self.running.add(chosen[-1])
        return chosen

    def finish(self, host: str, outcome: Outcome) -> None:
        """Record how a host ended; a later ending replaces an earlier one."""
        self.running.discard(host)
        if host in self.finished:
            self._counts[self.finished[host]] -= 1
        self.finished[host] = outcome
        self._counts[outcome] += 1

    @property
    def stopped_by(self) -> str:
        """The limit that was reached, in words, "" for none."""
        limits = self.order.limits
        for outcome, limit in (("failed", limits.failed), ("unreachable", limits.unreachable)):
            count = self._counts[outcome]  # type: ignore[index] # one of the outcomes
            if limit is not None and count >= limit:
                hosts = "host" if count == 1 else "hosts"
                return f"{count} {hosts} {outcome}; the limit is {limit}"
        return ""

    @property
    def skipped(self) -> tuple[str, ...]:
        """The hosts that were not started."""
        everybody = (host for step in self.order.steps for host in step)
        started = self.finished.keys() | self.running
        return tuple(host for host in everybody if host not in started)


@dataclass(frozen=True)
class StepShare:
    """A part of the hosts, as a number or in percent of all."""

    number: int
    is_percent: bool = False

    def of(self, total: int) -> int:
        """The number of hosts, rounded up; at least one."""
        return max(1, ceil(self.number * total / 100)) if self.is_percent else self.number


@dataclass(frozen=True)
class StepMembers:
    """The hosts that are named, and those with one of the tags."""

    hosts: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()

    def include(self, host: str, tags: frozenset[str]) -> bool:
        """Whether a host with these tags is one of them."""
        return host in self.hosts or not tags.isdisjoint(self.tags)


ALL = StepShare(100, is_percent=True)


def resolve_steps(
    order: Sequence[StepShare | StepMembers], tags: Mapping[str, frozenset[str]]
) -> tuple[tuple[str, ...], ...]:
    """The hosts of each step; `tags` are those of each host, in the order of the file.

    A share counts the hosts of all earlier steps too. What no step names comes last.
    """
    left, steps = list(tags), list[tuple[str, ...]]()
    for part in (*order, ALL):
        if isinstance(part, StepShare):
            step = left[: max(0, part.of(len(tags)) - (len(tags) - len(left)))]
        else:
            step = [host for host in left if part.include(host, tags[host])]
        steps.append(tuple(step))
        taken = frozenset(step)
        left = [host for host in left if host not in taken]
    return tuple(step for step in steps if step)
