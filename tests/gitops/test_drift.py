"""`reconcile drift` on a real small host: what it remembers, writes, sends and mends."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from prometheus_client.parser import text_string_to_metric_families

from reconcile.cli.demo.demo_host import DemoHost
from reconcile.system.lock import lock
from tests.support.command import COMMAND, Run, new_demo

pytestmark = pytest.mark.process

SCHEMAS = Path(__file__).parents[2] / "schemas"


@dataclass
class Hook:
    """A real webhook on this machine, and what it was sent."""

    url: str
    got: list[str] = field(default_factory=list)


@pytest.fixture
def hook() -> Iterator[Hook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            hook.got.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: Any) -> None: ...

    server = HTTPServer(("127.0.0.1", 0), Handler)
    hook = Hook(f"json://127.0.0.1:{server.server_port}/secret-token")
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield hook
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def host() -> Iterator[DemoHost]:
    """One host for all tests here, applied once."""
    with new_demo() as demo:
        apply = [*COMMAND, "apply", "--auto-approve"]
        subprocess.run(apply, cwd=demo.root, check=True, capture_output=True)
        yield demo


@pytest.fixture
def applied(host: DemoHost) -> Iterator[DemoHost]:
    """As after the apply, nothing remembered."""
    wish = Path(host.file).read_text()
    yield host
    Path(host.file).write_text(wish)
    mend_it(host)
    for path in Path(host.root, "state").glob("drift.*"):
        path.rmdir() if path.is_dir() else path.unlink()


def stylesheet(demo: DemoHost) -> str:
    return f"{demo.root}/www/static/css/app.css"


def break_it(demo: DemoHost) -> None:
    os.chmod(stylesheet(demo), 0o600)


def mend_it(demo: DemoHost) -> None:
    os.chmod(stylesheet(demo), 0o644)


def document(text: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(text)
    jsonschema.validate(found, json.loads((SCHEMAS / "drift.schema.json").read_text()))
    return found


def metrics(path: Path) -> dict[str, float]:
    return {
        sample.name + "".join(sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(path.read_text())
        for sample in family.samples
    }


def test_the_time_of_first_drift_is_kept_until_it_is_fixed(applied: DemoHost, run: Run) -> None:
    break_it(applied)
    first = document(run("drift", "--json", cwd=applied.root).stdout)
    second = document(run("drift", "--json", cwd=applied.root).stdout)
    mend_it(applied)
    clean = document(run("drift", "--json", cwd=applied.root).stdout)

    [deviation] = first["deviations"]
    assert ("drift", first["first_seen"]) == (deviation["cause"], deviation["first_seen"])
    assert first["first_seen"] == second["first_seen"] <= second["timestamp"]
    assert (None, True) == (clean["first_seen"], clean["in_sync"])
    assert clean["last_success"]
    assert 0o600 == stat.S_IMODE(os.stat(f"{applied.root}/state/drift.json").st_mode)


def test_a_check_leaves_nothing_on_a_host_that_was_never_applied_to(
    demo: DemoHost, run: Run
) -> None:
    done = run("drift", cwd=demo.root)

    assert 2 == done.returncode
    assert not os.path.exists(f"{demo.root}/state")


def test_metrics_are_what_prometheus_reads(applied: DemoHost, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "reconcile.prom"
    break_it(applied)

    done = run("drift", "--metrics-file", str(file), cwd=applied.root)

    found = metrics(file)
    assert 2 == done.returncode
    assert (0, 1) == (found["reconcile_drift_in_sync"], found["reconcile_drift_healthy"])
    assert 1 == found["reconcile_drift_changesassetsdrift"]
    assert found["reconcile_drift_last_run_timestamp_seconds"] > 1_700_000_000
    assert ["reconcile.prom"] == [path.name for path in tmp_path.glob("*prom*")]


def test_a_missing_metrics_folder_is_reported_as_a_failure(applied: DemoHost, run: Run) -> None:
    clean = run("drift", "--quiet", "--metrics-file", "/gone/a.prom", cwd=applied.root)
    break_it(applied)
    drifting = run("drift", "--metrics-file", "/gone/a.prom", cwd=applied.root)

    assert (1, 2) == (clean.returncode, drifting.returncode)
    assert "Note: /gone/a.prom cannot be written" in clean.stderr


def test_a_file_of_someone_else_is_no_place_for_metrics(
    applied: DemoHost, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("mine")

    done = run("drift", "--metrics-file", str(file), cwd=applied.root)

    assert (1, "mine") == (done.returncode, file.read_text())


def test_a_change_of_state_is_notified_once_and_its_end_once(
    applied: DemoHost, run: Run, hook: Hook
) -> None:
    def check() -> int:
        return run("drift", "--quiet", "--notify", hook.url, cwd=applied.root).returncode

    clean = check()
    break_it(applied)
    drifting = [check(), check()]
    mend_it(applied)
    mended = [check(), check()]

    assert (0, [2, 2], [0, 0]) == (clean, drifting, mended)
    assert 2 == len(hook.got)
    assert "drift detected" in hook.got[0]
    assert f"assets:{applied.root}/www/static" in hook.got[0]
    assert "in sync again" in hook.got[1]


def test_a_reminder_comes_after_its_time(applied: DemoHost, run: Run, hook: Hook) -> None:
    break_it(applied)
    options = ("--notify", hook.url, "--remind", "1h")
    run("drift", *options, cwd=applied.root)
    memory = Path(applied.root, "state/drift.json")
    told = json.loads(memory.read_text())
    told["notified"]["at"] = "2026-01-01T00:00:00Z"
    memory.write_text(json.dumps(told))

    run("drift", *options, cwd=applied.root)

    assert 2 == len(hook.got)


@pytest.mark.parametrize("url", ["json://127.0.0.1:1/secret-token", "nonsense://secret-token"])
def test_a_target_that_is_down_is_reported_and_changes_no_exit_code(
    applied: DemoHost, run: Run, url: str
) -> None:
    break_it(applied)

    done = run("drift", "--notify", url, cwd=applied.root)

    assert 2 == done.returncode
    assert "No notification was sent" in done.stderr
    assert "secret-token" not in done.stdout + done.stderr


def test_urls_come_from_a_file_that_no_other_user_can_write(
    applied: DemoHost, run: Run, hook: Hook, tmp_path: Path
) -> None:
    break_it(applied)
    file = tmp_path / "notify"
    file.write_text(f"# chat\n{hook.url}\n")
    file.chmod(0o600)

    told = run("drift", "--notify", f"@{file}", cwd=applied.root)
    file.chmod(0o666)
    refused = run("drift", "--notify", f"@{file}", cwd=applied.root)

    assert (2, 1, 1) == (told.returncode, len(hook.got), refused.returncode)
    assert "secret-token" not in refused.stderr


def test_a_missing_file_of_urls_is_reported_as_missing(demo: DemoHost, run: Run) -> None:
    done = run("drift", "--notify", f"@{demo.root}/none", cwd=demo.root)

    assert 1 == done.returncode
    assert f"from {demo.root}/none\n  why: no such file\n" in done.stderr


def test_an_invalid_url_is_refused_before_the_check(demo: DemoHost, run: Run) -> None:
    done = run("drift", "--notify", "ops@example.com", cwd=demo.root)

    assert (1, "") == (done.returncode, done.stdout)
    assert "Not a notification URL" in done.stderr


def test_a_damaged_drift_state_is_reported_and_replaced(applied: DemoHost, run: Run) -> None:
    memory = Path(applied.root, "state/drift.json")
    memory.write_text('{"format": 1, "first_seen": [')

    done = run("drift", cwd=applied.root)

    assert 0 == done.returncode
    assert "drift.json is damaged" in done.stderr
    assert 1 == json.loads(memory.read_text())["format"]


def test_an_unwritable_drift_state_is_reported_and_changes_no_exit_code(
    applied: DemoHost, run: Run
) -> None:
    os.mkdir(f"{applied.root}/state/drift.lock")

    done = run("drift", cwd=applied.root)

    assert 0 == done.returncode
    assert 1 == done.stderr.count("Note: ")
    assert "drift.lock could not be opened" in done.stderr


def test_an_apply_in_progress_is_reported_and_not_waited_for(
    applied: DemoHost, run: Run, hook: Hook
) -> None:
    break_it(applied)
    with lock(applied.host, "a long apply", timeout_s=0):
        done = run("drift", "--json", "--notify", hook.url, cwd=applied.root)

    told = document(done.stdout)
    assert "a long apply" in told["applying"]
    assert (2, []) == (done.returncode, hook.got)
    assert "" == document(run("drift", "--json", cwd=applied.root).stdout)["applying"]


def test_healing_fixes_drift_and_reports_it(applied: DemoHost, run: Run, hook: Hook) -> None:
    break_it(applied)

    done = run("drift", "--heal", "--json", "--notify", hook.url, cwd=applied.root)

    told = document(done.stdout)
    assert (0, True) == (done.returncode, told["in_sync"]), done.stderr
    assert [f"assets:{applied.root}/www/static"] == told["mended"]
    assert 0o644 == stat.S_IMODE(os.stat(stylesheet(applied)).st_mode)
    assert "drift was reverted" in hook.got[0]
    assert "reconcile drift --heal" in run("history", cwd=applied.root).stdout


def test_healing_leaves_what_is_pending_to_a_person(applied: DemoHost, run: Run) -> None:
    break_it(applied)
    text = Path(applied.file).read_text()
    Path(applied.file).write_text(text.replace("cache: week", "cache: day", 1))
    assert text != Path(applied.file).read_text()

    done = run("drift", "--heal", cwd=applied.root)

    assert 2 == done.returncode
    assert "need an apply" in done.stderr
    assert 0o600 == stat.S_IMODE(os.stat(stylesheet(applied)).st_mode)


def test_what_did_not_hold_is_not_tried_again(applied: DemoHost, run: Run) -> None:
    with open(applied.file, "a") as file:
        file.write("      - {get: /none, expect: {status: 200}}\n")
    break_it(applied)

    first = run("drift", "--heal", cwd=applied.root)
    second = run("drift", "--heal", cwd=applied.root)

    assert (3, 2) == (first.returncode, second.returncode), first.stderr
    assert "already attempted" in second.stderr
    assert 0o600 == stat.S_IMODE(os.stat(stylesheet(applied)).st_mode)


def test_two_checks_at_once_both_answer(applied: DemoHost, run: Run, hook: Hook) -> None:
    break_it(applied)
    codes: list[int] = []

    def check() -> None:
        codes.append(run("drift", "--notify", hook.url, cwd=applied.root).returncode)

    both = [threading.Thread(target=check) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()

    assert ([2, 2], 1) == (codes, len(hook.got))


def test_a_comment_for_a_merge_request(applied: DemoHost, run: Run) -> None:
    break_it(applied)

    drift = run("drift", "--markdown", cwd=applied.root)
    plan = run("plan", "--markdown", cwd=applied.root)

    assert "Plan: 0 to add, 1 to change, 0 to destroy." in plan.stdout
    assert drift.stdout.count("<details>") == plan.stdout.count("<details>") == 1


def test_a_scheduled_check_leaves_its_reading_for_collectors(
    applied: DemoHost, run: Run, tmp_path: Path
) -> None:
    readings = tmp_path / "readings"
    break_it(applied)

    run("drift", "--quiet", "--readings", str(readings), cwd=applied.root)

    [file] = readings.iterdir()
    reading = json.loads(file.read_text())
    jsonschema.validate(reading, json.loads((SCHEMAS / "reading.schema.json").read_text()))
    assert (0o750, 0o640) == tuple(stat.S_IMODE(path.stat().st_mode) for path in (readings, file))
    assert ("drift", "drift", ["demo"]) == (reading["run"], reading["state"], reading["sites"])
    assert reading["command"].endswith(f"apply -f {applied.file}")


def test_a_scheduled_check_that_fails_leaves_an_unknown_reading(
    applied: DemoHost, run: Run, tmp_path: Path
) -> None:
    Path(applied.file).write_text("version: 9")

    done = run("drift", "--readings", str(tmp_path / "readings"), cwd=applied.root)

    [file] = (tmp_path / "readings").iterdir()
    assert (1, "unknown") == (done.returncode, json.loads(file.read_text())["state"])


def test_a_report_of_this_host_is_made_of_what_its_commands_read(
    applied: DemoHost, run: Run, tmp_path: Path
) -> None:
    break_it(applied)

    done = run("report", "--html", str(tmp_path / "report.html"), "--json", cwd=applied.root)

    assert (0, [str(tmp_path / "report.html")]) == (
        done.returncode,
        json.loads(done.stdout)["files"],
    )
    page = (tmp_path / "report.html").read_text()
    for expected in ("drifted", "css/app.css: mode 0600", "Checklist of demo", "History"):
        assert expected in page, expected


def test_a_file_that_is_no_document_is_an_unknown_host_of_the_report(
    applied: DemoHost, run: Run, tmp_path: Path
) -> None:
    (tmp_path / "good.json").write_text(run("drift", "--json", cwd=applied.root).stdout)
    (tmp_path / "bad.json").write_text("<html>")

    only_bad = run("report", "bad.json", "--html", "report.html")
    both = run("report", "good.json", "bad.json", "--html", "report.html")

    assert (1, 1) == (only_bad.returncode, both.returncode)
    assert "bad.json cannot be shown" in only_bad.stderr
    assert "bad.json cannot be shown" in both.stderr
    assert "1 of 2 hosts is in sync" in (tmp_path / "report.html").read_text()
