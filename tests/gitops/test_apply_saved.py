"""`plan --out` and `apply PLAN` on a real small host."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from reconcile.cli.demo.demo_host import DemoHost
from reconcile.engine.digest import canonical, digest
from tests.support.command import Run

pytestmark = pytest.mark.process


@pytest.fixture
def plan(demo: DemoHost, run: Run, tmp_path: Path) -> str:
    """The first plan of the host, saved."""
    file = str(tmp_path / "first.plan")
    done = run("plan", "--out", file, cwd=demo.root)
    assert 0 == done.returncode, done.stderr
    assert f"reconcile apply {file}" in done.stdout
    assert not os.path.exists(f"{demo.root}/state")
    return file


def test_a_saved_plan_is_applied_without_a_question_and_only_once(
    demo: DemoHost, run: Run, plan: str, tmp_path: Path
) -> None:
    applied = run("apply", plan, cwd=tmp_path)
    again = run("apply", plan, cwd=tmp_path)

    assert (0, 5) == (applied.returncode, again.returncode), applied.stderr + again.stderr
    assert "Apply complete!" in applied.stdout
    assert "can be applied once" in again.stderr


def test_after_a_rollback_the_plan_is_used_all_the_same(
    demo: DemoHost, run: Run, plan: str
) -> None:
    run("apply", plan, cwd=demo.root)
    taken_back = run("rollback", "--auto-approve", cwd=demo.root)

    again = run("apply", plan, cwd=demo.root)

    assert (0, 5) == (taken_back.returncode, again.returncode), taken_back.stderr
    assert not os.path.exists(f"{demo.root}/nginx/sites-available/demo.conf")


def test_a_used_plan_with_another_id_is_used(demo: DemoHost, run: Run, plan: str) -> None:
    run("apply", plan, cwd=demo.root)
    run("rollback", "--auto-approve", cwd=demo.root)
    body = json.loads(Path(plan).read_text())
    body = {**body, "id": "0" * 32}
    body.pop("digest")
    Path(plan).write_text(canonical(body | {"digest": digest(body)}) + "\n")

    again = run("apply", plan, cwd=demo.root)

    assert 5 == again.returncode
    assert "a saved plan can be applied once" in again.stderr


def test_after_a_rollback_a_new_plan_is_applied(demo: DemoHost, run: Run, plan: str) -> None:
    run("apply", plan, cwd=demo.root)
    run("rollback", "--auto-approve", cwd=demo.root)
    run("plan", "--out", plan, cwd=demo.root)

    again = run("apply", plan, cwd=demo.root)

    assert 0 == again.returncode, again.stderr


def test_other_contents_of_the_same_size_and_time_are_not_published(
    demo: DemoHost, run: Run, tmp_path: Path
) -> None:
    run("apply", "--auto-approve", cwd=demo.root)
    style, new = Path(f"{demo.root}/app/static/css/app.css"), str(tmp_path / "new.plan")
    served = Path(f"{demo.root}/www/static/css/app.css").read_bytes()
    style.write_text("/* approved */")
    run("plan", "--out", new, cwd=demo.root)
    then = style.stat().st_mtime_ns
    style.write_text("/* unasked! */")
    os.utime(style, ns=(then, then))

    done = run("apply", new, cwd=demo.root)

    assert 5 == done.returncode, done.stderr
    assert served == Path(f"{demo.root}/www/static/css/app.css").read_bytes()


def test_a_host_that_moved_is_named_and_left_alone(demo: DemoHost, run: Run, plan: str) -> None:
    os.mkdir(f"{demo.root}/www/static")

    done = run("apply", plan, cwd=demo.root)

    assert 5 == done.returncode
    assert f"directory:{demo.root}/www/static" in done.stderr
    assert [] == os.listdir(f"{demo.root}/nginx/sites-available")


def test_a_source_that_moved_is_named(demo: DemoHost, run: Run, plan: str) -> None:
    Path(f"{demo.root}/app/static/css/app.css").write_text("/* another */")

    done = run("apply", plan, cwd=demo.root)

    assert 5 == done.returncode
    assert f"assets:{demo.root}/www/static" in done.stderr


def test_a_yaml_that_changed_since_is_reported(demo: DemoHost, run: Run, plan: str) -> None:
    with open(demo.file, "a") as file:
        file.write("# one more line\n")

    done = run("apply", plan, cwd=demo.root)

    assert 5 == done.returncode
    assert "the configuration file has changed since the plan was made" in done.stderr


def test_an_edited_plan_is_refused_in_json_too(demo: DemoHost, run: Run, plan: str) -> None:
    text = Path(plan).read_text()
    Path(plan).write_text(text.replace('"create"', '"delete"', 1))

    done = run("apply", plan, "--json", cwd=demo.root)

    assert 5 == done.returncode
    assert 5 == json.loads(done.stdout)["exit_code"]
    assert "edited or is damaged" in done.stderr


def test_a_plan_names_no_yaml_that_others_may_write(
    demo: DemoHost, run: Run, plan: str, tmp_path: Path
) -> None:
    os.chmod(demo.file, 0o666)

    done = run("apply", plan, cwd=tmp_path)

    assert 1 == done.returncode
    assert "No configuration file found" in done.stderr


def test_a_saved_plan_is_of_the_part_that_was_planned(
    demo: DemoHost, run: Run, tmp_path: Path
) -> None:
    part, file = f"directory:{demo.root}/www", str(tmp_path / "part.plan")
    run("plan", "--target", part, "--out", file, cwd=demo.root)

    applied = run("apply", file, "--no-verify", cwd=demo.root)
    selected = run("apply", file, "--site", "demo", cwd=demo.root)

    assert (0, 1) == (applied.returncode, selected.returncode), applied.stderr
    assert [] == os.listdir(f"{demo.root}/nginx/sites-available")


def test_a_missing_plan_is_an_error_not_a_stale_plan(demo: DemoHost, run: Run) -> None:
    done = run("apply", "/nowhere/first.plan", cwd=demo.root)

    assert 1 == done.returncode
    assert "/nowhere/first.plan cannot be read" in done.stderr
