"""Whether an approved plan is still the plan, and what changed if not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from reconcile.engine.model import ConfigOrigin, Plan
from reconcile.engine.staleness import refuse_stale, what_changed
from reconcile.errors import ExitCode, StalePlan
from tests.support.world import Note, World, a_world, declare, planned

ASKED = Note(path="/a", text="new", colour="red")
YAML = ConfigOrigin("reconcile.yaml", "sha256:1")


def the_plan(world: World | None = None, asked: Note = ASKED, config: ConfigOrigin = YAML) -> Plan:
    world = world or a_world(Note(path="/a", text="old", colour="red"))
    return planned(world, declare(asked), config=config)


def test_the_same_plan_computed_twice_is_the_same() -> None:
    assert the_plan().fingerprint == the_plan().fingerprint
    assert () == what_changed(the_plan().inputs, the_plan().inputs)


@pytest.mark.parametrize(
    ("now", "sentence"),
    [
        (
            the_plan(a_world(Note(path="/a", text="hand", colour="red"))),
            "note:/a: text changed on the host",
        ),
        (
            the_plan(asked=replace(ASKED, text="newer")),
            "note:/a: text changed in the desired state",
        ),
        (the_plan(a_world(ASKED)), "note:/a no longer needs a change"),
        (the_plan(a_world()), "note:/a: vanished on the host"),
        (
            the_plan(config=ConfigOrigin("reconcile.yaml", "sha256:2")),
            "the configuration file has changed since the plan was made",
        ),
    ],
)
def test_what_changed_is_named(now: Plan, sentence: str) -> None:
    approved = the_plan()

    assert approved.fingerprint != now.fingerprint
    assert (sentence,) == what_changed(approved.inputs, now.inputs)


def test_a_change_that_was_not_approved_is_named() -> None:
    approved = planned(a_world(ASKED), declare(ASKED), config=YAML)

    changed = what_changed(approved.inputs, the_plan().inputs)

    assert ("note:/a needs a change that was not approved",) == changed


@pytest.mark.parametrize(
    ("field", "value", "sentence"),
    [
        ("host", "web2", "the plan was made for web1, this is web2"),
        ("version", "9", "the plan was made by reconcile 0.1.0, this is 9"),
    ],
)
def test_another_host_or_version_is_named(field: str, value: str, sentence: str) -> None:
    approved = replace(the_plan().inputs, version="0.1.0")

    assert (sentence,) == what_changed(approved, replace(approved, **{field: value}))


def test_a_stale_plan_is_refused_with_everything_that_changed() -> None:
    approved = the_plan().inputs

    with pytest.raises(StalePlan) as error:
        refuse_stale(approved, replace(approved, host="web2", changes={}))

    assert ExitCode.STALE_PLAN == error.value.exit_code
    assert "this is web2; note:/a no longer needs a change" in error.value.why
