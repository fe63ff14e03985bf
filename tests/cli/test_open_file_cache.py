"""Where nginx keeps files open, an apply that replaces some plans the reload that shows them."""

from __future__ import annotations

from pathlib import Path
from subprocess import CompletedProcess

import pytest

from reconcile.cli.demo.demo_host import DemoHost
from reconcile.system.http import HttpClient, HttpTarget
from tests.support.command import Run

pytestmark = pytest.mark.process

CACHE = "open_file_cache max=100 inactive=1h; open_file_cache_valid 1h; open_file_cache_min_uses 1;"
CSS = "/static/css/app.css"


@pytest.fixture
def cached(demo: DemoHost, run: Run) -> DemoHost:
    """An applied site whose workers have the stylesheet open."""
    main = Path(f"{demo.root}/nginx/nginx.conf")
    main.write_text(main.read_text().replace("http {", f"http {{ {CACHE}", 1))
    applied(run("apply", "--auto-approve", cwd=demo.root))
    for _ in range(20):
        served(demo)
    return demo


def applied(done: CompletedProcess[str]) -> None:
    assert 0 == done.returncode, done.stdout + done.stderr


def served(demo: DemoHost) -> bytes:
    return HttpClient().request(HttpTarget("127.0.0.1", demo.port, "demo.localhost"), CSS).body


def source(demo: DemoHost) -> Path:
    return Path(f"{demo.root}/app{CSS}")


def test_a_changed_file_plans_a_reload_and_one_apply_shows_it(cached: DemoHost, run: Run) -> None:
    source(cached).write_text("body { color: teal }\n")

    planned = run("plan", cwd=cached.root)
    applied(run("apply", "--auto-approve", cwd=cached.root))

    assert "reload: open_file_cache keeps files open that are replaced" in planned.stdout
    assert {b"body { color: teal }\n"} == {served(cached) for _ in range(20)}
    assert "No changes" in run("plan", cwd=cached.root).stdout


def test_a_file_that_was_edited_on_the_host_is_drift_with_its_reload(
    cached: DemoHost, run: Run
) -> None:
    Path(f"{cached.root}/www{CSS}").write_text("edited\n")

    found = run("drift", cwd=cached.root)

    assert 2 == found.returncode
    assert "(2 drift, 0 pending" in found.stdout


def test_a_rollback_shows_the_old_file_again(cached: DemoHost, run: Run) -> None:
    before = served(cached)
    source(cached).write_text("body { color: teal }\n")
    applied(run("apply", "--auto-approve", cwd=cached.root))
    served(cached)

    applied(run("rollback", "--auto-approve", cwd=cached.root))

    assert {before} == {served(cached) for _ in range(20)}


def test_without_the_cache_no_reload_is_planned(demo: DemoHost, run: Run) -> None:
    applied(run("apply", "--auto-approve", cwd=demo.root))
    source(demo).write_text("body { color: teal }\n")

    assert "reload" not in run("plan", cwd=demo.root).stdout


def test_a_file_that_was_replaced_by_hand_is_found_with_its_cause(
    cached: DemoHost, run: Run
) -> None:
    new = Path(f"{cached.root}/www/new")
    new.write_text("replaced\n")
    new.rename(f"{cached.root}/www{CSS}")

    found = run("verify", cwd=cached.root)

    assert 3 == found.returncode
    assert f"{CSS}: other bytes (open_file_cache (" in " ".join(found.stdout.split())
