"""Commands that only look change nothing, as the kernel tells: no call of theirs could."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconcile.cli.demo.demo_host import DemoHost
from tests.support.command import COMMAND, Run, new_demo
from tests.support.denied_calls import WITHOUT_THE_CAPABILITY
from tests.support.disk import picture
from tests.support.system_calls import ALWAYS_CHANGING, OPENING, Trace

pytestmark = pytest.mark.process

CLOSED = re.compile(r"mount_setattr\(.*MOUNT_ATTR_RDONLY.* = 0\b")
# A private place, that nobody else sees; and what a drift check tells the next.
ITS_OWN = re.compile(r"^mount(_setattr)?\(|/dev/null|/state>?[/,].*drift\.")
DRIFT_MEMORY = {"state/drift.json", "state/drift.lock"}

COMMANDS = {
    "plan": ("plan",),
    "plan --json": ("plan", "--json"),
    "drift": ("drift",),
    "graph": ("graph",),
    "state": ("state", "list"),
    "history": ("history",),
    "validate": ("validate",),
}


def traced(folder: Path, demo: DemoHost, *arguments: str) -> Trace:
    trace = folder / "trace"
    wanted = ",".join("?" + name for name in (*ALWAYS_CHANGING, *OPENING, "mount_setattr"))
    subprocess.run(
        ["strace", "-f", "-y", "-qq", "-o", trace, "-e", f"trace={wanted}", *COMMAND, *arguments],
        cwd=demo.root,
        # Whether bytecode is kept is Python's business, and no part of a host's state.
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
    )
    return Trace(tuple(trace.read_text(errors="backslashreplace").splitlines()))


@pytest.fixture(scope="module")
def applied() -> Iterator[DemoHost]:
    """One host for all tests here: none of the commands changes it."""
    with new_demo() as demo:
        apply = [*COMMAND, "apply", "--auto-approve"]
        subprocess.run(apply, cwd=demo.root, check=True, capture_output=True)
        yield demo


@pytest.fixture
def drifted(applied: DemoHost) -> Iterator[DemoHost]:
    media = Path(applied.root, "www/media")
    mode = media.stat().st_mode
    media.chmod(0o700)
    yield applied
    media.chmod(mode)


def seen(demo: DemoHost) -> dict[str, tuple[object, ...]]:
    """Every file of the demo; not the logs of what runs there."""
    found = picture(Path(demo.root))
    return {
        path: facts
        for path, facts in found.items()
        if path not in DRIFT_MEMORY and not path.startswith(("log/", "state/log"))
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_it_makes_no_changing_call_and_leaves_every_file_as_it_was(
    tmp_path: Path, drifted: DemoHost, command: str
) -> None:
    before = seen(drifted)

    trace = traced(tmp_path, drifted, *COMMANDS[command])

    assert [] == [call for call in trace.changing() if not ITS_OWN.search(call)]
    assert before == seen(drifted)


@pytest.mark.parametrize("command", ["doctor", "verify"])
def test_what_has_nginx_or_an_upload_tested_leaves_every_file_as_it_was(
    run: Run, applied: DemoHost, command: str
) -> None:
    """Nginx tests in a private place, where it may write; a canary is removed again."""
    before = seen(applied)

    run(command, cwd=applied.root)

    assert before == seen(applied)


@pytest.mark.parametrize("command", ["plan", "drift", "doctor", "verify"])
def test_reading_commands_run_in_a_read_only_view(
    tmp_path: Path, applied: DemoHost, command: str
) -> None:
    trace = traced(tmp_path, applied, command)

    assert any(CLOSED.search(line) for line in trace.lines)


def refused(applied: DemoHost, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command as root in a container that must not mount."""
    return subprocess.run(
        [*WITHOUT_THE_CAPABILITY, *COMMAND, *arguments],
        cwd=applied.root,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.mark.parametrize(
    "command",
    [
        ["plan"],
        ["drift"],
        ["doctor"],
        ["verify"],
        ["verify", "--json"],
        ["explain", "http://localhost/"],
    ],
    ids=" ".join,
)
def test_a_refused_read_only_view_is_reported_once(applied: DemoHost, command: list[str]) -> None:
    done = refused(applied, *command)

    assert 1 == done.stderr.count("Note: The kernel did not make the host read-only")
    assert 1 == done.stderr.count("CAP_SYS_ADMIN is missing")
    assert "not-read-only" not in done.stdout


@pytest.mark.parametrize("command", ["plan", "drift", "doctor"])
def test_json_has_it_among_the_findings_and_the_exit_code_stays(
    applied: DemoHost, command: str
) -> None:
    before = refused(applied, command)

    done = refused(applied, command, "--json")

    notes = [one for one in json.loads(done.stdout)["findings"] if one["rule"] == "not-read-only"]
    assert ["note"] == [one["severity"] for one in notes]
    assert (before.returncode, "") == (done.returncode, done.stderr)


def test_a_quiet_drift_check_is_not_made_loud_by_it(applied: DemoHost) -> None:
    done = refused(applied, "drift", "--quiet")

    assert (0, "", "") == (done.returncode, done.stdout, done.stderr)
