"""Killed at any effect, the host is as before or as planned, never in between."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from reconcile.engine.history_integrity import check_history
from reconcile.engine.ledger_store import read_ledger
from reconcile.engine.model import Check
from reconcile.engine.recovery import unfinished
from reconcile.engine.resource import Resource
from reconcile.resources.assets import Assets
from reconcile.resources.directory import Directory
from reconcile.resources.file import File
from reconcile.resources.symlink import Symlink
from reconcile.resources.tree import Tree
from tests.faults.killing import Replay, killed_at
from tests.support.machine import Machine
from tests.support.tally import TALLY

pytestmark = pytest.mark.process

Site = tuple[Resource, ...]
Manifest = dict[str, tuple[object, ...]]


def down() -> tuple[Check, ...]:
    return (Check("GET /", "fail", "502"),)


@dataclass(frozen=True)
class Scenario:
    """What was applied before, and what is being done when the process is killed."""

    first: Callable[[Machine], Site]
    second: Callable[[Machine], Site]
    act: Callable[[Machine], object]


def nothing(machine: Machine) -> Site:
    return ()


def one_site(machine: Machine, text: bytes = b"server {}\n", mode: int = 0o644) -> Site:
    return (
        Directory(path=machine.path("sites"), mode=0o755),
        File(path=machine.path("sites/shop.conf"), content=text, mode=mode),
        File(path=machine.path("sites/env"), content=b"KEY=1\n", mode=0o600),
        Symlink(path=machine.path("enabled"), target=machine.path("sites/shop.conf")),
    )


def another_site(machine: Machine) -> Site:
    """Content, mode and link changed, one file dropped, one new."""
    return (
        Directory(path=machine.path("sites"), mode=0o750),
        File(path=machine.path("sites/shop.conf"), content=b"server { listen 81; }\n", mode=0o640),
        File(path=machine.path("sites/new.conf"), content=b"# new\n", mode=0o644),
        Symlink(path=machine.path("enabled"), target=machine.path("sites/new.conf")),
    )


def with_uploads(machine: Machine) -> Site:
    """Uploads that somebody has locked away, and static files; nothing of it declared yet."""
    media = Path(machine.path("media"))
    (media / "deep").mkdir(parents=True)
    source = Path(machine.root).with_name("source")
    (source / "css").mkdir(parents=True)
    for number in range(8):
        (media / "deep" / f"{number}.jpg").write_bytes(b"%d" % number)
        (media / "deep" / f"{number}.jpg").chmod(0o600)
        (source / "css" / f"{number}.css").write_bytes(b"/* %d */" % number)
    return ()


def fixed_and_copied(machine: Machine) -> Site:
    media, static = machine.path("media"), machine.path("static")
    return (
        Directory(path=media, mode=0o755, protected=True),
        Tree(path=media, dirs=0o755, files=0o644, protected=True),
        Directory(path=static, mode=0o755),
        Assets(path=static, source=str(Path(machine.root).with_name("source"))),
    )


def apply_and_take_back(machine: Machine) -> None:
    if machine.apply(*another_site(machine)).result == "applied":
        machine.take_back()


SCENARIOS = {
    "first apply": Scenario(nothing, one_site, lambda m: m.apply(*one_site(m))),
    "change": Scenario(one_site, another_site, lambda m: m.apply(*another_site(m))),
    "removal": Scenario(one_site, nothing, lambda m: m.apply()),
    "rollback": Scenario(one_site, another_site, lambda m: m.apply(*another_site(m), verify=down)),
    "trees": Scenario(with_uploads, fixed_and_copied, lambda m: m.apply(*fixed_and_copied(m))),
    "apply, then taking it back": Scenario(one_site, another_site, apply_and_take_back),
}


@pytest.fixture(params=SCENARIOS)
def scenario(request: pytest.FixtureRequest) -> Scenario:
    return SCENARIOS[request.param]


@pytest.fixture
def machine(swift_machine: Machine) -> Machine:
    return swift_machine


@pytest.fixture
def stage(machine: Machine, scenario: Scenario, memory: Path) -> Replay:
    """The box as it is before the act, to be brought back after each kill."""
    Path(machine.path("foreign")).write_bytes(b"not ours")
    machine.apply(*scenario.first(machine))
    return Replay(memory / "box", memory / "copy")


def whole(machine: Machine, scenario: Scenario) -> list[Manifest]:
    """The states that the host may be in when all is over: as before, or as planned."""
    before = timeless(machine.manifest())
    machine.apply(*scenario.second(machine))
    return [before, timeless(machine.manifest())]


def timeless(manifest: Manifest) -> Manifest:
    """Without the time of a file that was written by whichever run came first."""
    return {path: facts[:5] for path, facts in manifest.items()}


def refuse_remains(machine: Machine) -> None:
    """Nothing half done, nothing temporary, and a history that is whole."""
    state = machine.host.state
    assert () == unfinished(machine.host)
    assert () == check_history(state, read_ledger(state))[1]
    assert [] == [path for path in machine.manifest() if ".reconcile-" in path]
    assert [] == [path.name for path in Path(machine.state).glob("**/.*.reconcile-new-*")]


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.nightly)])
def test_killed_at_any_effect_it_is_as_before_or_as_planned(
    machine: Machine, scenario: Scenario, stage: Replay, step: int
) -> None:
    expected = whole(machine, scenario)

    for number in stage.kills(lambda: scenario.act(machine), step=step):
        machine.recover()

        assert timeless(machine.manifest()) in expected, f"killed at effect {number}"
        refuse_remains(machine)


@pytest.mark.parametrize("step", [10, pytest.param(1, marks=pytest.mark.nightly)])
def test_killed_at_any_effect_one_rerun_converges(
    machine: Machine, scenario: Scenario, stage: Replay, step: int
) -> None:
    for number in stage.kills(lambda: scenario.act(machine), step=step):
        machine.apply(*scenario.second(machine))

        assert () == machine.plan(*scenario.second(machine)).changes, f"killed at effect {number}"
        refuse_remains(machine)


def copied(machine: Machine) -> Site:
    source = str(Path(machine.root).with_name("source"))
    path = machine.path("static")
    return Directory(path=path, mode=0o755), Assets(path=path, source=source)


@pytest.mark.parametrize("step", [10, pytest.param(1, marks=pytest.mark.nightly)])
def test_killed_while_files_become_directories_and_the_reverse(
    machine: Machine, memory: Path, step: int
) -> None:
    source = Path(machine.root).with_name("source")
    (source / "docs").mkdir(parents=True)
    for name in ("app", "docs/one.html"):
        (source / name).write_text(name)
    machine.apply(*copied(machine))
    for name in ("app", "docs/one.html"):
        (source / name).unlink()
    (source / "docs").rmdir()
    (source / "docs").write_text("one file")
    (source / "app").mkdir()
    (source / "app/main.js").write_text("main")
    stage = Replay(memory / "box", memory / "copy")
    before = timeless(machine.manifest())
    assert "applied" == machine.apply(*copied(machine)).result
    after = timeless(machine.manifest())

    for number in stage.kills(lambda: machine.apply(*copied(machine)), step=step):
        machine.recover()
        assert timeless(machine.manifest()) in (before, after), f"killed at effect {number}"
        refuse_remains(machine)


@pytest.mark.parametrize(
    ("first", "step", "step_again"),
    [
        (0, 20, 5),
        # In shares, since it is the longest of all: no core waits for another.
        *(pytest.param(share, 8, 1, marks=pytest.mark.nightly) for share in range(8)),
    ],
)
def test_killed_in_the_recovery_as_well_the_next_one_ends_it(
    machine: Machine, scenario: Scenario, stage: Replay, first: int, step: int, step_again: int
) -> None:
    expected = whole(machine, scenario)

    for number in stage.kills(lambda: scenario.act(machine), first=first, step=step):
        again = 0
        while killed_at(again, machine.recover):
            TALLY["kills at an effect of the recovery"] += 1
            machine.recover()

            assert timeless(machine.manifest()) in expected, f"killed at {number}, then at {again}"
            refuse_remains(machine)
            again += step_again
            stage.restore()
            killed_at(number, lambda: scenario.act(machine))


def test_without_recovery_some_kill_does_leave_the_host_half_done(
    swift_machine: Machine, memory: Path
) -> None:
    """Proof that the harness bites."""
    swift_machine.apply(*one_site(swift_machine))
    stage = Replay(memory / "box", memory / "copy")
    expected = whole(swift_machine, SCENARIOS["change"])

    found = [
        timeless(swift_machine.manifest())
        for _ in stage.kills(lambda: swift_machine.apply(*another_site(swift_machine)))
    ]

    assert [manifest for manifest in found if manifest not in expected]
