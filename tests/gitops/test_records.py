"""The ledger and the history show when somebody else has written them."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from reconcile.engine.history import Actor
from reconcile.engine.history_integrity import check_history
from reconcile.engine.ledger import Ledger, LedgerRow, LedgerUnusable, decode, encode
from reconcile.engine.ledger_store import read_ledger
from reconcile.engine.resource import Ref
from reconcile.engine.untrack import untrack
from reconcile.errors import ReconcileError
from reconcile.resources.directory import Directory
from reconcile.resources.file import File
from tests.gitops.mutation import mutations
from tests.support.machine import Machine, in_box

BY = Actor("tester", "reconcile state forget")


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with three applies behind it, each of one more file."""
    made = in_box(tmp_path / "box")
    for count in (1, 2, 3):
        names = [f"{number}.conf" for number in range(count)]
        made.apply(*(File(path=made.path(name), content=b"x") for name in names))
    return made


def found(machine: Machine) -> tuple[str, ...]:
    state = machine.host.state
    return check_history(state, read_ledger(state))[1]


def row(machine: Machine, number: int) -> Path:
    return Path(machine.state, "history", f"{number:08d}.json")


def test_a_whole_history_has_no_problems(machine: Machine) -> None:
    assert () == found(machine)


def test_an_edited_row_is_noticed(machine: Machine) -> None:
    file = row(machine, 2)
    file.write_text(file.read_text().replace("tester", "nobody"))

    assert any("row 3 does not follow row 2" in problem for problem in found(machine))


def test_a_row_that_was_taken_out_is_noticed(machine: Machine) -> None:
    row(machine, 2).unlink()

    assert ("row 2 is missing before row 3",) == found(machine)[:1]


@pytest.mark.parametrize("ledger_too", [False, True])
def test_a_tail_that_was_cut_off_is_noticed(machine: Machine, ledger_too: bool) -> None:
    row(machine, 3).unlink()
    if ledger_too:
        os.unlink(f"{machine.state}/ledger.json")

    assert any("3" in problem for problem in found(machine))


def test_no_mutated_ledger_of_a_thousand_is_accepted() -> None:
    rows = {
        Ref("file", f"/etc/{number}"): LedgerRow(
            ("shop",), True, False, {"mode": "sha256:1"}, "2026"
        )
        for number in range(4)
    }
    genuine = encode(Ledger(rows, 7, "sha256:0"))

    for mutant in mutations(genuine, 1000, random.Random(6)):
        with pytest.raises(LedgerUnusable) as refused:
            decode(mutant)
        assert "Nothing was changed." in refused.value.fix or "version" in refused.value.why


def test_what_is_released_stays_on_the_host_and_in_the_history(machine: Machine) -> None:
    ref = Ref("file", machine.path("0.conf"))

    after = untrack(machine.host, [ref], BY)

    rows, problems = check_history(machine.host.state, after)
    assert ref not in read_ledger(machine.host.state).rows
    assert Path(machine.path("0.conf")).exists()
    assert ("forgotten", (str(ref), "forget", "pending")) == (
        rows[-1].entry.result,
        rows[-1].entry.changes[0],
    )
    assert () == problems


def test_what_was_forgotten_is_not_removed_when_it_is_dropped(machine: Machine) -> None:
    untrack(machine.host, [Ref("file", machine.path("0.conf"))], BY)

    machine.apply()

    assert ["0.conf"] == os.listdir(machine.root)


def test_the_apply_before_a_forget_can_still_be_rolled_back(machine: Machine) -> None:
    untrack(machine.host, [Ref("file", machine.path("0.conf"))], BY)

    machine.take_back()

    assert {"0.conf", "1.conf"} == set(os.listdir(machine.root))


def test_protection_is_forgotten_only_on_demand(tmp_path: Path) -> None:
    machine = in_box(tmp_path / "box")
    media = Directory(path=machine.path("media"), protected=True)
    machine.apply(media)

    with pytest.raises(ReconcileError, match="protected"):
        untrack(machine.host, [media.ref], BY)

    assert {} == untrack(machine.host, [media.ref], BY, protected_too=True).rows


def test_only_what_is_owned_can_be_forgotten(machine: Machine) -> None:
    with pytest.raises(ReconcileError, match="not in the ledger"):
        untrack(machine.host, [Ref("file", "/etc/passwd")], BY)
