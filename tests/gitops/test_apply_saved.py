"""`plan --out` and `apply PLAN` on a real small host."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from reconcile.cli.demo.stage import Stage
from tests.cli.conftest import Run, run, stage

__all__ = ["run", "stage"]


@pytest.fixture
def plan(stage: Stage, run: Run, tmp_path: Path) -> str:
    """The first plan of the host, saved."""
    file = str(tmp_path / "first.plan")
    done = run("plan", "--out", file, cwd=stage.root)
    assert 0 == done.returncode, done.stderr
    assert f"reconcile apply {file}" in done.stdout
    assert not os.path.exists(f"{stage.root}/state")
    return file


def test_a_saved_plan_is_applied_without_a_question_and_only_once(
    stage: Stage, run: Run, plan: str, tmp_path: Path
) -> None:
    applied = run("apply", plan, cwd=tmp_path)
    again = run("apply", plan, cwd=tmp_path)

    assert (0, 5) == (applied.returncode, again.returncode), applied.stderr + again.stderr
    assert "Apply complete!" in applied.stdout
    assert "good for one apply" in again.stderr


def test_after_a_rollback_the_plan_is_used_all_the_same(stage: Stage, run: Run, plan: str) -> None:
    run("apply", plan, cwd=stage.root)
    taken_back = run("rollback", "--auto-approve", cwd=stage.root)

    again = run("apply", plan, cwd=stage.root)

    assert (0, 5) == (taken_back.returncode, again.returncode), taken_back.stderr
    assert not os.path.exists(f"{stage.root}/nginx/sites-available/demo.conf")


def test_a_host_that_moved_is_named_and_left_alone(stage: Stage, run: Run, plan: str) -> None:
    os.mkdir(f"{stage.root}/www/static")

    done = run("apply", plan, cwd=stage.root)

    assert 5 == done.returncode
    assert f"directory:{stage.root}/www/static" in done.stderr
    assert [] == os.listdir(f"{stage.root}/nginx/sites-available")


def test_a_source_that_moved_is_named(stage: Stage, run: Run, plan: str) -> None:
    Path(f"{stage.root}/app/static/css/app.css").write_text("/* another */")

    done = run("apply", plan, cwd=stage.root)

    assert 5 == done.returncode
    assert f"assets:{stage.root}/www/static" in done.stderr


def test_a_yaml_that_moved_on_is_told(stage: Stage, run: Run, plan: str) -> None:
    with open(stage.file, "a") as file:
        file.write("# one more line\n")

    done = run("apply", plan, cwd=stage.root)

    assert 5 == done.returncode
    assert "the configuration file has changed since the plan was made" in done.stderr


def test_an_edited_plan_is_refused_and_scripts_are_told(stage: Stage, run: Run, plan: str) -> None:
    text = Path(plan).read_text()
    Path(plan).write_text(text.replace('"create"', '"delete"', 1))

    done = run("apply", plan, "--json", cwd=stage.root)

    assert 5 == done.returncode
    assert 5 == json.loads(done.stdout)["exit_code"]
    assert "edited or is damaged" in done.stderr


def test_a_plan_names_no_yaml_that_others_may_write(
    stage: Stage, run: Run, plan: str, tmp_path: Path
) -> None:
    os.chmod(stage.file, 0o666)

    done = run("apply", plan, cwd=tmp_path)

    assert 1 == done.returncode
    assert "There is no reconcile.yaml" in done.stderr


def test_a_saved_plan_is_of_the_part_that_was_planned(
    stage: Stage, run: Run, tmp_path: Path
) -> None:
    part, file = f"directory:{stage.root}/www", str(tmp_path / "part.plan")
    run("plan", "--target", part, "--out", file, cwd=stage.root)

    applied = run("apply", file, "--no-verify", cwd=stage.root)
    selected = run("apply", file, "--site", "demo", cwd=stage.root)

    assert (0, 1) == (applied.returncode, selected.returncode), applied.stderr
    assert [] == os.listdir(f"{stage.root}/nginx/sites-available")


def test_a_missing_plan_is_an_error_not_a_stale_plan(stage: Stage, run: Run) -> None:
    done = run("apply", "/nowhere/first.plan", cwd=stage.root)

    assert 1 == done.returncode
    assert "/nowhere/first.plan cannot be read" in done.stderr
