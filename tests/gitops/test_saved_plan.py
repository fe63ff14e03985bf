"""A saved plan is an approval: good once, here, now, or refused in plain words."""

from __future__ import annotations

import json
import random
import stat
from pathlib import Path

import pytest

from reconcile.engine.digest import canonical, digest
from reconcile.engine.history import Actor, HistoryEntry
from reconcile.engine.ledger import Ledger
from reconcile.engine.ledger_store import next_records, write_records
from reconcile.engine.selection import Selection
from reconcile.engine.staleness import what_changed
from reconcile.errors import ExitCode, ReconcileError, StalePlan
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.state_dir import StateDir
from reconcile.gitops import saved_plan
from reconcile.gitops.saved_plan import PlanUnusable, SavedPlan, decode, encode
from tests.gitops.mutation import mutations
from tests.support.world import Note, a_world, declare, planned

SECRET = "TOKEN=hunter2"


def a_plan() -> SavedPlan:
    desired = declare(
        Note(path="/etc/a", text="new"), Note(path="/etc/app.env", text=SECRET, secret=True)
    )
    world = a_world(Note(path="/etc/a", text="old", colour="red"))
    selection = Selection(sites=("shop",))
    return saved_plan.from_plan(planned(world, desired), "/etc/reconcile.yaml", selection, "ann")


def test_what_is_read_is_what_was_saved(tmp_path: Path) -> None:
    plan, file = a_plan(), tmp_path / "plan"

    saved_plan.write(str(file), plan)

    assert plan == saved_plan.read(str(file))
    assert 0o600 == stat.S_IMODE(file.stat().st_mode)


def test_the_file_holds_digests_and_no_value() -> None:
    text = encode(a_plan()).decode()

    assert "hunter2" not in text
    assert "red" not in text


def test_an_older_saved_plan_is_replaced_and_nothing_else_is(tmp_path: Path) -> None:
    file = tmp_path / "plan"
    saved_plan.write(str(file), a_plan())
    newer = a_plan()

    saved_plan.write(str(file), newer)

    assert newer == saved_plan.read(str(file))


@pytest.mark.parametrize("kind", ["a file of someone's", "a symlink", "a folder"])
def test_what_is_not_a_saved_plan_is_never_written_over(tmp_path: Path, kind: str) -> None:
    file, other = tmp_path / "plan", tmp_path / "other"
    other.write_text("mine")
    if kind == "a file of someone's":
        file.write_text("mine")
    elif kind == "a symlink":
        file.symlink_to(other)
    else:
        file.mkdir()

    with pytest.raises(HostError):
        saved_plan.write(str(file), a_plan())

    assert "mine" == other.read_text()
    assert {"plan", "other"} == {path.name for path in tmp_path.iterdir()}


def test_of_a_thousand_mutated_files_none_is_taken_for_a_plan() -> None:
    genuine = encode(a_plan())

    for mutant in mutations(genuine, 1000, random.Random(5)):
        with pytest.raises(PlanUnusable) as refused:
            decode(mutant, "plan")
        assert ExitCode.STALE_PLAN == refused.value.exit_code
        assert refused.value.why


def forged(seed: int) -> bytes:
    """A plan with one value replaced and the digest made right again."""
    chance = random.Random(seed)
    body = json.loads(encode(a_plan()))
    del body["digest"]
    key = chance.choice([name for name in body if name != "what"])
    body[key] = chance.choice([None, 7, "x", [], ["x"], [1], {}, {"x": "y"}, {"x": [None, None]}])
    return (canonical(body | {"digest": digest(body)}) + "\n").encode()


def test_a_forged_plan_is_refused_or_approves_only_what_is_planned() -> None:
    real = a_plan()

    for seed in range(300):
        try:
            plan = decode(forged(seed), "plan")
        except PlanUnusable:
            continue
        changed = what_changed(plan.inputs, real.inputs)
        assert changed or plan.inputs == real.inputs


@pytest.mark.parametrize("result", ["applied", "rolled_back", "failed"])
def test_a_plan_that_was_applied_is_good_for_nothing_more(tmp_path: Path, result: str) -> None:
    state, plan = StateDir(str(tmp_path / "state")), a_plan()
    saved_plan.refuse_used(plan, state)
    entry = HistoryEntry(
        "2026-01-01T00:00:00Z",
        Actor("ann", "reconcile apply", None, plan.id),
        result,
        fingerprint=plan.fingerprint,
    )
    write_records(state, *next_records(Ledger(), {}, entry))

    with pytest.raises(StalePlan, match=f"by ann at 2026-01-01T00:00:00Z: {result}"):
        _raise_why(lambda: saved_plan.refuse_used(plan, state))

    renamed = plan.model_copy(update={"id": "0" * 32, "fingerprint": "sha256:0"})
    with pytest.raises(StalePlan, match="can be applied once"):
        _raise_why(lambda: saved_plan.refuse_used(renamed, state))
    saved_plan.refuse_used(plan.model_copy(update={"serial": 1}), state)


def test_a_plan_with_a_part_that_could_not_be_read_is_not_saved() -> None:
    world = a_world()
    world.broken.add("/etc/a")

    with pytest.raises(ReconcileError, match="incomplete"):
        saved_plan.from_plan(
            planned(world, declare(Note(path="/etc/a", text="x"))), "/r.yaml", Selection(), "ann"
        )


def _raise_why(act: object) -> None:
    """Raise the refusal again with its reason as the message."""
    try:
        act()  # type: ignore[operator] # a function without arguments
    except StalePlan as refused:
        raise StalePlan(refused.why) from None
