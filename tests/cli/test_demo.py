"""The whole story, as root and as an ordinary user's own folder."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from reconcile.system.http import HttpClient, HttpTarget
from tests.support.command import COMMAND, Run

pytestmark = pytest.mark.process

SCHEMA = Path(__file__).parents[2] / "schemas" / "demo.schema.json"


def left_over(folder: Path) -> list[str]:
    """Processes that still run from a demo below `folder`, and what lies there."""
    listed = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True)
    running = [line for line in listed.stdout.splitlines() if f"{folder}/" in line]
    return [*running, *map(str, folder.glob("reconcile-demo-*"))]


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the demo makes its folder; a socket's path may be no longer than 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="reconcile-test-") as path:
        os.chmod(path, 0o755)
        yield Path(path)


def document(text: str) -> dict[str, Any]:
    output: dict[str, Any] = json.loads(text)
    jsonschema.validate(output, json.loads(SCHEMA.read_text()))
    return output


def below(folder: Path) -> dict[str, str]:
    return {"TMPDIR": str(folder)}


def test_the_demo_runs_to_its_end_and_leaves_nothing(run: Run, folder: Path) -> None:
    done = run("demo", env=below(folder))

    assert 0 == done.returncode, done.stdout + done.stderr
    output = done.stdout
    assert 5 == len(re.findall(r"^  \w.*  # ", output.partition("five things")[2], re.MULTILINE))
    assert "Plan: 1 to add, 5 to change, 0 to destroy." in output
    assert 2 == output.count("Apply complete!")
    assert output.index("Apply complete!") < output.index("No changes. The host matches")
    assert output.endswith("Everything is stopped and removed.\n")
    assert [] == left_over(folder)


def test_a_demo_that_is_kept_runs_until_it_is_stopped(run: Run, folder: Path) -> None:
    output = run("demo", "--keep", env=below(folder)).stdout
    port = int(re.findall(r"http://demo\.localhost:(\d+)/", output)[-1])
    root = output.rstrip().rpartition(" ")[2]
    page = HttpClient().request(HttpTarget("127.0.0.1", port, "demo.localhost"), "/")

    stopped = run("demo", "--stop", root)

    assert (200, 0) == (page.status, stopped.returncode)
    assert not os.path.exists(root)
    assert [] == left_over(folder)


def test_the_json_of_a_kept_demo_names_its_folder(run: Run, folder: Path) -> None:
    done = run("demo", "--keep", "--json", env=below(folder))
    output = document(done.stdout)
    page = HttpClient().request(HttpTarget("127.0.0.1", output["port"], "demo.localhost"), "/")

    stopped = document(run("demo", "--stop", output["folder"], "--json").stdout)

    assert "Apply complete!" in done.stderr
    assert (True, 200, False) == (output["running"], page.status, stopped["running"])
    assert [] == left_over(folder)


def test_only_a_demo_is_stopped(run: Run, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("x")

    done = run("demo", "--stop", str(tmp_path))

    assert 1 == done.returncode
    assert "No demo found in" in done.stderr
    assert (tmp_path / "precious").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_cleans_up(folder: Path, number: signal.Signals) -> None:
    with subprocess.Popen(
        [*COMMAND, "demo"], stdout=subprocess.PIPE, text=True, env=os.environ | below(folder)
    ) as process:
        assert process.stdout is not None
        next(line for line in process.stdout if ": created (" in line)
        process.send_signal(number)
        process.stdout.read()

    assert 128 + number == process.returncode
    assert [] == left_over(folder)
