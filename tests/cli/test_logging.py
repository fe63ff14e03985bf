"""What -v and --log-json print of a command."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reconcile.cli.demo.demo_host import DemoHost
from tests.cli.terminal import on_a_terminal
from tests.support.command import COMMAND, Run

pytestmark = pytest.mark.process

SCHEMA = json.loads((Path(__file__).parents[2] / "schemas/log.schema.json").read_text())
LINE = re.compile(r"\d\d:\d\d:\d\d\.\d{3} (reading|effect|command|request) +[a-z]+\.\w+ .*ms\)")
SECRET = "xK9-s3cret-xK9"


def log_lines(stderr: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in stderr.splitlines()]
    for line in lines:
        jsonschema.validate(line, SCHEMA)
    return lines


def effects(stderr: str) -> set[tuple[str, str]]:
    """Call and path of each effect outside of the state directory."""
    return {
        (line["call"], next(iter(line["arguments"].values()), ""))
        for line in log_lines(stderr)
        if line["event"] == "effect" and not line["call"].startswith("state.")
    }


@pytest.fixture
def secretive(demo: DemoHost) -> DemoHost:
    """A host whose YAML holds a secret in a sensitive file."""
    Path(demo.root, "app.env").write_text(f"TOKEN={SECRET}\n")
    yaml = Path(demo.file)
    text = yaml.read_text()
    owner = re.search(r"assets: *\{user: (\S+), group: (\S+),", text)
    assert owner
    yaml.write_text(
        text + f"paths:\n  {demo.root}/www/app.env: {{owner: {{user: {owner[1]}, group: {owner[2]},"
        ' files: "0640"}, source: ./app.env, sensitive: true}\n'
    )
    return demo


def test_v_prints_each_reading_of_a_plan_with_its_time(demo: DemoHost, run: Run) -> None:
    quiet = run("plan", cwd=demo.root)

    done = run("plan", "-v", cwd=demo.root)

    assert (0, quiet.stdout) == (done.returncode, done.stdout)
    assert all(LINE.fullmatch(line) for line in done.stderr.splitlines())
    assert f"reading files.stat {demo.root}/nginx/nginx.conf -> kind=file" in done.stderr
    assert "command commands.run /usr/sbin/nginx -V -> returncode=0" in done.stderr


def test_a_plan_logs_no_effect(demo: DemoHost, run: Run) -> None:
    before = sorted(os.walk(demo.root))

    done = run("plan", "--log-json", cwd=demo.root)

    assert set() == effects(done.stderr)
    assert before == sorted(os.walk(demo.root))


def test_an_apply_logs_its_effects_and_requests(demo: DemoHost, run: Run) -> None:
    done = run("apply", "--auto-approve", "--log-json", cwd=demo.root)

    assert 0 == done.returncode, done.stderr
    site = f"{demo.root}/nginx/sites-available/demo.conf"
    assert {("files.write", site), ("services.start", "demo.service")} <= effects(done.stderr)
    requests = [line for line in log_lines(done.stderr) if line["call"] == "http.request"]
    assert "status=200" in {line["outcome"] for line in requests}


@pytest.mark.parametrize("option", ["-v", "--log-json"])
def test_nothing_secret_is_logged(secretive: DemoHost, run: Run, option: str) -> None:
    environment = {"APP_TOKEN": SECRET}

    done = run("apply", "--auto-approve", option, cwd=secretive.root, env=environment)
    checked = run("verify", option, cwd=secretive.root, env=environment)

    assert (0, 0) == (done.returncode, checked.returncode), done.stderr
    assert f"{secretive.root}/www/app.env" in done.stderr
    assert SECRET not in done.stderr + checked.stderr


def test_with_both_options_the_log_is_json(run: Run) -> None:
    done = run("state", "list", "-v", "--log-json")

    assert 0 == done.returncode
    assert {"state.read"} <= {line["call"] for line in log_lines(done.stderr)}


def test_in_the_journal_a_line_has_no_time_of_its_own(run: Run, tmp_path: Path) -> None:
    with open(tmp_path / "journal", "w+") as journal:
        stream = os.fstat(journal.fileno())
        environment = {"PATH": os.environ["PATH"]}
        environment["JOURNAL_STREAM"] = f"{stream.st_dev}:{stream.st_ino}"
        subprocess.run(
            [*COMMAND, "history", "-v"], stderr=journal, stdout=subprocess.DEVNULL, env=environment
        )
        journal.seek(0)
        lines = journal.read().splitlines()

    assert lines
    assert all(re.match(r"(reading|command|effect) ", line) for line in lines)


def test_a_reader_of_the_log_that_has_gone_does_not_end_an_apply(demo: DemoHost) -> None:
    reader, writer = os.pipe()
    os.close(reader)

    done = subprocess.run(
        [*COMMAND, "apply", "--auto-approve", "-v"],
        cwd=demo.root,
        stderr=writer,
        stdout=subprocess.PIPE,
        text=True,
    )
    os.close(writer)

    assert 0 == done.returncode
    assert "Apply complete!" in done.stdout


def test_no_progress_runs_through_the_log_on_a_terminal(demo: DemoHost) -> None:
    output = on_a_terminal("apply", "--auto-approve", "-v", cwd=demo.root, columns=300)

    assert 0 == output.code
    assert "\x1b[K" not in output.text
    assert "━" not in output.text
