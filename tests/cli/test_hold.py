"""`reconcile hold` and what it prevents, on a real small host."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reconcile.cli.demo.demo_host import DemoHost
from tests.support.command import Run

pytestmark = pytest.mark.process

SCHEMAS = Path(__file__).parents[2] / "schemas"


def document(text: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    jsonschema.validate(found, json.loads((SCHEMAS / f"{name}.schema.json").read_text()))
    return found


def test_under_a_hold_nothing_is_applied_and_everyone_learns_why(demo: DemoHost, run: Run) -> None:
    reason = ("--until", "2h", "--reason", "migrating the database")
    made = run("hold", *reason, "--json", cwd=demo.root)
    assert 0 == made.returncode, made.stderr
    hold = document(made.stdout, "hold")["hold"]
    assert "migrating the database" == hold["reason"]

    applied = run("apply", "--auto-approve", cwd=demo.root)
    healed = run("drift", "--heal", cwd=demo.root)
    plan = run("plan", "--json", cwd=demo.root)
    text = run("plan", cwd=demo.root)
    drift = run("drift", "--json", cwd=demo.root)

    assert [6, 6, 6, 6] == [one.returncode for one in (applied, healed, plan, text)]
    assert "migrating the database" in applied.stderr
    assert "Note: Not healing: a hold is in force." in healed.stderr
    assert (hold, 6) == (
        document(plan.stdout, "plan")["hold"],
        json.loads(plan.stdout)["exit_code"],
    )
    assert "migrating the database" in text.stdout
    assert "Plan: 7 to add, 1 to change, 0 to destroy." in text.stdout
    assert (2, hold) == (drift.returncode, document(drift.stdout, "drift")["hold"])
    assert not Path(demo.root, "nginx/sites-available/demo.conf").exists()

    assert "held this host" in run("hold", cwd=demo.root).stdout
    assert "No hold is in force.\n" == run("hold", "--release", cwd=demo.root).stdout
    assert 0 == run("plan", cwd=demo.root).returncode


def test_a_hold_needs_a_reason_and_a_usable_end(demo: DemoHost, run: Run) -> None:
    for options, what in (
        (("--until", "2h"), "The hold has no usable reason"),
        (("--until", "soon", "--reason", "x"), "'soon' is not a moment"),
        (("--until", "2020-01-01", "--reason", "x"), "The hold would end before it begins"),
        (("--release", "--reason", "x"), "--release cannot be combined"),
    ):
        done = run("hold", *options, cwd=demo.root)
        assert 1 == done.returncode
        assert what in done.stderr
    assert "No hold is in force.\n" == run("hold", cwd=demo.root).stdout
