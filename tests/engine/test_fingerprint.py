"""Whether two plans are the same, and what moved."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconcile.engine.fingerprint import same, what_moved
from reconcile.engine.model import ConfigOrigin, Plan, PlanInputs
from tests.engine.world import Note, World, a_world, declare, planned

ASKED = Note(path="/a", text="new", colour="red")
YAML = ConfigOrigin("reconcile.yaml", "sha256:1")


def the_plan(world: World | None = None, asked: Note = ASKED, config: ConfigOrigin = YAML) -> Plan:
    world = world or a_world(Note(path="/a", text="old", colour="red"))
    return planned(world, declare(asked), config=config)


def moved(approved: Plan, now: Plan) -> tuple[str, ...]:
    assert approved.basis is not None
    assert now.basis is not None
    return what_moved(approved.basis, now.basis)


def test_the_same_plan_computed_twice_is_the_same() -> None:
    assert same(the_plan(), the_plan())
    assert () == moved(the_plan(), the_plan())


@pytest.mark.parametrize(
    ("now", "sentence"),
    [
        (
            the_plan(a_world(Note(path="/a", text="hand", colour="red"))),
            "note:/a: text changed on the host",
        ),
        (
            the_plan(asked=ASKED.model_copy(update={"text": "newer"})),
            "note:/a: text changed as it should be",
        ),
        (the_plan(a_world(ASKED)), "note:/a needs no change any more"),
        (the_plan(a_world()), "note:/a: vanished on the host"),
        (the_plan(config=ConfigOrigin("reconcile.yaml", "sha256:2")), "the YAML is another one"),
    ],
)
def test_what_moved_is_said(now: Plan, sentence: str) -> None:
    approved = the_plan()

    assert not same(approved, now)
    assert (sentence,) == moved(approved, now)


def test_a_change_that_was_not_approved_is_said() -> None:
    approved = planned(a_world(ASKED), declare(ASKED), config=YAML)

    assert ("note:/a needs a change that was not approved",) == moved(approved, the_plan())


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("host", "web2", "the plan was made for web1, this is web2"),
        ("version", "9", "the plan was made by reconcile 0.1.0, this is 9"),
    ],
)
def test_another_host_or_version_is_said(field: str, value: str, sentence: str) -> None:
    basis = the_plan().basis
    assert isinstance(basis, PlanInputs)
    approved = replace(basis, version="0.1.0")

    assert (sentence,) == what_moved(approved, replace(approved, **{field: value}))
