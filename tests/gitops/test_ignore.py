"""Differences that the YAML declares to be none."""

from __future__ import annotations

import json
import os
from datetime import date
from pathlib import Path

import pytest

from reconcile.cli.demo.demo_host import DemoHost
from reconcile.engine.ignore_rules import IgnoredField, apply_ignore_rules
from reconcile.engine.model import Plan, Position
from reconcile.engine.planner import make_plan
from reconcile.resources.tree import Tree
from tests.support.command import Run
from tests.support.machine import in_box
from tests.support.world import Note, a_world, declare, last_wrote, observe_world
from tests.support.yaml_examples import errors_in

TODAY = date(2026, 11, 22)
PLACE = Position("reconcile.yaml", 9)


def rule(ref: str, field: str, until: date | None = None) -> IgnoredField:
    return IgnoredField(ref, field, "known", until, PLACE)


def planned(*rules: IgnoredField, there: Note | None = None) -> Plan:
    wanted = Note(path="/etc/a", text="right", colour="red")
    desired, owned = declare(wanted), last_wrote(wanted)
    world = a_world(there or Note(path="/etc/a", text="wrong", colour="red"))
    left = apply_ignore_rules(desired, observe_world(world, desired, owned), rules, TODAY)
    return make_plan(
        left.desired,
        left.observed,
        owned,
        host="web1",
        ignored=left.ignored,
        findings=left.findings,
    )


@pytest.mark.parametrize("ref", ["note:/etc/a", "note:/etc/*", "*:*"])
def test_an_ignored_difference_is_counted_and_not_planned(ref: str) -> None:
    made = planned(rule(ref, "text"))

    assert ((), 1) == (made.changes, made.ignored)
    assert "note:/etc/a" == made.ignored_changes[0].address


@pytest.mark.parametrize("ignored", [("note:/etc/b", "text"), ("note:/etc/a", "colour")])
def test_a_rule_about_something_else_ignores_nothing(ignored: tuple[str, str]) -> None:
    made = planned(rule(*ignored))

    assert (1, 0) == (len(made.changes), made.ignored)


def test_the_other_fields_are_fixed_and_the_ignored_one_is_kept() -> None:
    there = Note(path="/etc/a", text="wrong", colour="blue")

    [change] = planned(rule("note:/etc/a", "text"), there=there).changes

    assert ["colour"] == [field.name for field in change.fields]
    assert Note(path="/etc/a", text="wrong", colour="red") == change.after


def test_a_rule_holds_through_its_last_day_and_is_a_finding_then() -> None:
    last_day = planned(rule("note:/etc/a", "text", TODAY))
    day_after = planned(rule("note:/etc/a", "text", date(2026, 11, 21)))

    assert (0, 1) == (len(last_day.changes), len(day_after.changes))
    assert ["ignore-expired"] == [finding.rule for finding in day_after.findings]


def test_a_rule_that_matches_nothing_is_reported() -> None:
    found = planned(rule("note:/etc/a", "colours")).findings

    assert ["ignore-unused"] == [finding.rule for finding in found]


def test_of_a_tree_the_modes_alone_can_be_ignored(tmp_path: Path) -> None:
    machine = in_box(tmp_path / "box")
    os.mkdir(machine.path("media"))
    for name, uid in (("mode", 0), ("owner", 33)):
        Path(machine.path(f"media/{name}")).write_text("x")
        os.chown(machine.path(f"media/{name}"), uid, uid)
    os.chmod(machine.path("media/mode"), 0o600)
    tree = Tree(path=machine.path("media"), user="root", group="root")
    seen = tree.observe(machine.host)
    assert seen is not None

    left = tree.ignoring("mode", seen)

    assert left is not None
    assert ["owner"] == [found.path for found in left[1].deviations]
    assert 1 == left[1].deviating


@pytest.mark.parametrize(
    "written",
    [
        "{ref: 'file:/a', field: mode}",
        "{ref: 'file:/a', field: mode, reason: ''}",
        "{ref: '/a', field: mode, reason: x}",
        "{ref: 'file:/a', field: mode, reason: x, until: 2027-02-30}",
        "{ref: 'file:/a', field: mode, reason: x, until: tomorrow}",
    ],
)
def test_a_rule_without_a_reason_an_address_or_a_real_day_is_refused(written: str) -> None:
    assert errors_in(f"version: 1\nignore:\n  - {written}\n")


@pytest.mark.process
def test_on_a_host_it_is_shown_and_neither_drift_nor_fixed(demo: DemoHost, run: Run) -> None:
    done = run("apply", "--auto-approve", cwd=demo.root)
    assert 0 == done.returncode, done.stderr
    address = f"directory:{demo.root}/www/media"
    with open(demo.file, "a") as file:
        file.write(f'ignore:\n  - {{ref: "{address}", field: mode, reason: "by hand"}}\n')
    os.chmod(f"{demo.root}/www/media", 0o711)

    drift = run("drift", "--json", cwd=demo.root)
    plan = run("plan", "--detailed-exitcode", cwd=demo.root)
    applied = run("apply", "--auto-approve", cwd=demo.root)

    told = json.loads(drift.stdout)
    assert (0, 0, 0) == (drift.returncode, plan.returncode, applied.returncode), drift.stdout
    assert (1, "by hand") == (told["summary"]["ignored"], told["ignored_changes"][0]["reason"])
    assert "No changes. The host matches the configuration. (1 ignored)" in plan.stdout
    assert 0o711 == os.stat(f"{demo.root}/www/media").st_mode & 0o777
