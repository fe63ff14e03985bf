"""`reconcile state` and `reconcile history` on a real small host."""

from __future__ import annotations

import json
import os
from pathlib import Path

import jsonschema
import pytest

from reconcile.cli.demo.demo_host import DemoHost
from tests.support.command import Run

pytestmark = pytest.mark.process

SCHEMAS = Path(__file__).parents[2] / "schemas"


@pytest.fixture
def applied(demo: DemoHost, run: Run) -> DemoHost:
    done = run("apply", "--auto-approve", cwd=demo.root)
    assert 0 == done.returncode, done.stdout + done.stderr
    return demo


def document(text: str, name: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(text)
    jsonschema.validate(found, json.loads((SCHEMAS / f"{name}.schema.json").read_text()))
    return found


def test_the_ledger_is_listed_shown_and_forgotten_from(applied: DemoHost, run: Run) -> None:
    address = f"file:{applied.root}/nginx/sites-available/demo.conf"

    listed = run("state", "list", cwd=applied.root)
    shown = run("state", "show", address, cwd=applied.root)
    forgotten = run("state", "forget", address, cwd=applied.root)
    gone = run("state", "show", address, cwd=applied.root)

    assert address in listed.stdout.splitlines()
    assert "last written content: sha256:" in shown.stdout
    assert (0, 1) == (forgotten.returncode, gone.returncode), forgotten.stderr
    assert os.path.exists(address.removeprefix("file:"))


def test_a_site_that_owns_nothing_is_an_error_and_not_an_empty_ledger(
    applied: DemoHost, run: Run
) -> None:
    done = run("state", "list", "--site", "nope", cwd=applied.root)

    assert (1, "") == (done.returncode, done.stdout)
    assert "Unknown site: nope" in done.stderr


def test_json_shows_the_same(applied: DemoHost, run: Run) -> None:
    listed = document(run("state", "list", "--json", cwd=applied.root).stdout, "state")
    history = document(run("history", "--json", cwd=applied.root).stdout, "history")

    assert listed["resources"]
    assert ([], 0) == (history["problems"], history["exit_code"])


def test_an_edited_history_is_an_error(applied: DemoHost, run: Run) -> None:
    row = Path(applied.root, "state/history/00000001.json")
    row.write_text(row.read_text().replace('"applied"', '"failed"'))

    done = run("history", cwd=applied.root)

    assert 1 == done.returncode
    assert "Damaged: " in done.stdout
