"""Whatever call the kernel refuses, the host is as before or as planned, and the cause is told."""

from __future__ import annotations

import errno
import os
import resource
from collections.abc import Callable
from pathlib import Path

import pytest

from reconcile.engine.apply_report import Report
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import REASONS
from tests.faults.failing import failing_at
from tests.faults.killing import Replay
from tests.faults.test_crash import SCENARIOS, Scenario, refuse_remains, timeless, whole
from tests.support.machine import Machine

pytestmark = pytest.mark.process

ERRORS = ("ENOSPC", "EIO", "EROFS", "EACCES", "EPERM", "EMFILE", "EINTR")
STEP = 84
"""Of the normal run: every 42nd call, others for each error, so that every sixth is met."""
ENDS = {"applied", "rolled_back", "failed", "refused"}


@pytest.fixture(params=SCENARIOS)
def scenario(request: pytest.FixtureRequest) -> Scenario:
    return SCENARIOS[request.param]


@pytest.fixture
def stage(swift_machine: Machine, scenario: Scenario, memory: Path) -> Replay:
    Path(swift_machine.path("foreign")).write_bytes(b"not ours")
    swift_machine.apply(*scenario.first(swift_machine))
    return Replay(memory / "box", memory / "copy")


def reported(act: Callable[[], object]) -> tuple[str, str]:
    """How it ended, and all that was said about why. Anything but our own error is raised."""
    try:
        report = act()
    except ReconcileError as error:
        return "refused", f"{error.what} {error.why}"
    if not isinstance(report, Report):
        return "applied", ""
    return report.result, " ".join((report.error or "", report.why, *report.notes))


@pytest.mark.parametrize("name", ERRORS)
@pytest.mark.parametrize("step", [STEP, pytest.param(1, marks=pytest.mark.nightly)])
def test_a_call_that_fails_once_is_reported_and_leaves_the_old_or_the_new(
    swift_machine: Machine, scenario: Scenario, stage: Replay, name: str, step: int
) -> None:
    machine, error = swift_machine, getattr(errno, name)
    before, after = whole(machine, scenario)

    number = step * ERRORS.index(name) // len(ERRORS)
    while True:
        stage.restore()
        with failing_at(number, error) as counter:
            ended, output = reported(lambda: scenario.act(machine))
        if not counter.failed:
            break
        where = f"{name} at call {number}: {ended}: {output}"
        machine.recover()
        assert ended in ENDS, where
        assert not output or ended == "applied" or REASONS[error] in output or "502" in output, (
            where
        )
        assert timeless(machine.manifest()) in (before, after), where
        refuse_remains(machine)
        number += step
    assert number > 20


@pytest.mark.parametrize("name", ["ENOSPC", "EROFS", "EIO"])
def test_calls_that_fail_from_then_on_are_survived_once_the_cause_is_gone(
    swift_machine: Machine, scenario: Scenario, stage: Replay, name: str
) -> None:
    machine, error = swift_machine, getattr(errno, name)
    before, after = whole(machine, scenario)

    number = ERRORS.index(name) * STEP // len(ERRORS)
    while True:
        stage.restore()
        with failing_at(number, error, times=1_000_000) as counter:
            ended, output = reported(lambda: scenario.act(machine))
        if not counter.failed:
            break
        machine.recover()
        assert timeless(machine.manifest()) in (before, after), f"{number}: {ended}: {output}"
        refuse_remains(machine)
        number += STEP


def test_too_few_open_files_are_reported_and_nothing_is_left_half_done(
    swift_machine: Machine, memory: Path
) -> None:
    """For real: with one more descriptor at a time, until there are enough."""
    scenario = SCENARIOS["change"]
    swift_machine.apply(*scenario.first(swift_machine))
    stage = Replay(memory / "box", memory / "copy")
    before, after = whole(swift_machine, scenario)
    # The limit is on numbers, of which others in this process hold some, low ones and high ones.
    taken, most = set(os.listdir("/proc/self/fd")), resource.getrlimit(resource.RLIMIT_NOFILE)
    free = [number for number in range(most[0]) if str(number) not in taken]
    ends = []

    for spare in range(40):
        stage.restore()
        resource.setrlimit(resource.RLIMIT_NOFILE, (free[spare], most[1]))
        try:
            ended, output = reported(lambda: scenario.act(swift_machine))
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, most)
        ends.append(ended)
        assert ended == "applied" or REASONS[errno.EMFILE] in output, f"{spare}: {output}"
        swift_machine.recover()
        assert timeless(swift_machine.manifest()) in (before, after)

    assert {"refused", "applied"} <= set(ends), output
