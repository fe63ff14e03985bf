"""A rollout over simulated hosts of pyinfra's @fake, compared with the model of rollouts.

Run as a program: it makes its process cooperative.

    python tests/fleet/simulated.py HOSTS PARALLEL SEED
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]


class Simulated(NamedTuple):
    """What the program found, and what it took."""

    found: Mapping[str, Any]
    cpu_s: float
    mib: float


def simulate(hosts: int, parallel: int, seed: int = 0) -> Simulated:
    """Run the program. Errors: AssertionError with what it printed."""
    command = [sys.executable, __file__, str(hosts), str(parallel), str(seed)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        assert process.stdout
        output = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    assert 0 == process.returncode, output
    return Simulated(json.loads(output), usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def main() -> None:
    from reconcile.fleet.cooperative import make_cooperative

    make_cooperative()
    count, parallel, seed = map(int, sys.argv[1:])
    chance = random.Random(seed)
    names = [f"@fake/h{number}" for number in range(count)]
    scripts = {name: _scripted(chance, count) for name in names}
    rollout = _RolloutOf(names, scripts, parallel, chance)
    print(json.dumps(rollout.compared()))


def _scripted(chance: random.Random, count: int) -> tuple[str, float]:
    """How a host answers, and how long it takes for each command, in seconds."""
    rare = chance.random() * count
    state = "failed" if rare < 5 else "unreachable" if rare < 10 else "stale"
    return state if rare < 100 else "applied", chance.choice((0.0, 0.01, 0.05))


class _RolloutOf:
    """One rollout, interrupted in the middle and resumed."""

    def __init__(
        self,
        names: list[str],
        scripts: Mapping[str, tuple[str, float]],
        parallel: int,
        chance: random.Random,
    ) -> None:
        from pyinfra.api import Inventory
        from pyinfra.connectors.fake import FakeConnector

        from reconcile.fleet.connections import FleetHosts, _keep_quiet
        from reconcile.fleet.rollout import Order, StepMembers, StepShare, StopLimits, resolve_steps

        _keep_quiet()
        setattr(FakeConnector, "connect", _connect)  # noqa: B010  mypy: methods are not assigned
        inventory = Inventory(([(name, _data(*scripts[name])) for name in names], {}))
        self.members = FleetHosts((), {host.name: host for host in inventory})
        parts = (StepMembers(tags=("canary",)), StepShare(10, True), StepShare(50, True))
        tags = {name: frozenset({"canary"} if name.endswith("77") else ()) for name in names}
        limits = StopLimits(failed=chance.randint(3, 12), unreachable=chance.randint(3, 12))
        self.order = Order(resolve_steps(parts, tags), parallel, limits)
        self.chance, self.parallel = chance, parallel

    def compared(self) -> dict[str, Any]:
        """Whether both halves are what the model expects, and what they came to."""
        stops_after = self.chance.randint(1, len(self.members.hosts))
        first, events = self._run({}, stops_after)
        second, later = self._run(first, None)
        twice = {name for _, name in events} & {name for kind, name in later if kind == "start"}
        return {
            "equal": self._is_expected(events, {}, first)
            and self._is_expected(later, first, second),
            "asked_twice": len(twice & first.keys()),
            "ended": len(second),
            "hosts": len(self.members.hosts),
            "outcomes": {one: [*second.values()].count(one) for one in sorted({*second.values()})},
        }

    def _is_expected(self, events: Any, before: Any, after: Any) -> bool:
        from tests.fleet.rollout_model import ends_in, events_of

        ends = [(name, after[name]) for name in ends_in(events)]
        return bool(events == events_of(self.order, ends, before))

    def _run(self, before: Any, stops_after: int | None) -> Any:
        from reconcile.fleet.connections import Connections
        from reconcile.fleet.rollout import Rollout
        from reconcile.fleet.run import run_rollout

        rollout = Rollout(self.order, before)
        asks = _Recorded(Connections(self.members, self.parallel), stops_after)
        with suppress(InterruptedError):
            run_rollout(rollout, asks, _job, lambda _name, answer: answer)
        return dict(rollout.finished), asks.events


class _Recorded:
    """Asks hosts, and records when; interrupted after so many answers."""

    def __init__(self, asks: Any, stops_after: int | None) -> None:
        self.asks, self.left = asks, stops_after
        self.events: list[tuple[str, str]] = []

    def start(self, job: Any) -> None:
        self.events.append(("start", job.name))
        self.asks.start(job)

    def next_answer(self) -> Any:
        if self.left == 0:
            raise InterruptedError
        self.left = None if self.left is None else self.left - 1
        name, answer = self.asks.next_answer()
        self.events.append(("end", name))
        return name, answer


def _data(state: str, delay: float) -> dict[str, Any]:
    """What pyinfra's connector needs to answer so."""
    from reconcile.fleet.script import HEADER

    code = {"applied": 0, "failed": 3, "stale": 5}.get(state, 0)
    summary = json.dumps({"format_version": "1.0", "result": "applied" if code == 0 else "failed"})
    work = [f"{HEADER}code", str(code), f"{HEADER}out", summary]
    found = {"fake_delay": delay, "fake_delay_jitter": delay / 2}
    return {**found, "fake_responses": {"apply --json": work}, "is_off": state == "unreachable"}


def _connect(connector: Any) -> None:
    """The connection to a host that may be off. Errors: ConnectError."""
    from pyinfra.api.exceptions import ConnectError

    if connector.host.data.get("is_off"):
        raise ConnectError("it is off")


def _job(name: str) -> Any:
    from reconcile.fleet.script import Call, InstalledProgram, Script
    from reconcile.fleet.work import Job

    script = Script(InstalledProgram(), Call(("apply", "--json")), False, 60, False)
    return Job(name, "apply", {"reconcile.yaml": b"version: 1"}, script, None, None)


if __name__ == "__main__":
    main()
