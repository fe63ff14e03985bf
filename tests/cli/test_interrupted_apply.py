"""Ctrl-C, a service manager that stops us, a terminal that is lost: the host is whole."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from reconcile.cli.demo.demo_host import DemoHost
from tests.support.command import COMMAND, Run
from tests.support.disk import picture

pytestmark = pytest.mark.process

MANY = 400


@pytest.fixture
def slow(demo: DemoHost) -> DemoHost:
    """A host whose apply copies files for a while, and has changed something before."""
    for number in range(MANY):
        Path(demo.root, f"app/static/{number:03}.txt").touch()
    return demo


def site(demo: DemoHost) -> object:
    return picture(Path(demo.root, "www")), picture(Path(demo.root, "nginx"))


def is_copying(demo: DemoHost) -> bool:
    return any(Path(demo.root, "www/static").glob("*.txt"))


def wait_until_copying(demo: DemoHost) -> None:
    deadline = time.monotonic() + 60
    while not is_copying(demo):
        assert time.monotonic() < deadline
        time.sleep(0.001)


def assert_whole(demo: DemoHost, run: Run, before: object, name: str) -> None:
    """As before, in the history, and no hindrance for the next apply."""
    assert before == site(demo)
    [entry] = json.loads(run("history", "--json", cwd=demo.root).stdout)["entries"]
    assert ("rolled_back", f"The apply was interrupted by {name}.") == (
        entry["result"],
        entry["error"],
    )
    told = f"The apply was interrupted by {name}. Its result: rolled back."
    assert told in run("plan", cwd=demo.root).stdout.replace("\n", " ")
    done = run("apply", "--auto-approve", cwd=demo.root)
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "interrupted" not in run("plan", cwd=demo.root).stdout


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM", "SIGHUP"])
def test_a_signal_rolls_everything_back(slow: DemoHost, run: Run, name: str) -> None:
    before = site(slow)
    command = [*COMMAND, "apply", "--auto-approve"]
    with subprocess.Popen(command, cwd=slow.root, stdout=-1, stderr=-1, text=True) as process:
        wait_until_copying(slow)
        process.send_signal(signal.Signals[name])
        out, err = process.communicate(timeout=120)

    assert 128 + signal.Signals[name] == process.returncode
    assert "Rolling back." in out
    assert "interrupted" in err
    assert_whole(slow, run, before, name)


def test_a_terminal_that_is_lost_rolls_everything_back(slow: DemoHost, run: Run) -> None:
    before = site(slow)
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(slow.root)
        environment = {"PATH": os.environ["PATH"], "TERM": "xterm"}
        os.execve(sys.executable, [*COMMAND, "apply", "--auto-approve"], environment)
    wait_until_copying(slow)
    os.close(terminal)
    _, status = os.waitpid(pid, 0)

    assert 128 + signal.SIGHUP == os.waitstatus_to_exitcode(status)
    assert_whole(slow, run, before, "SIGHUP")


def test_with_nohup_a_lost_terminal_stops_nothing(slow: DemoHost, run: Run) -> None:
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(slow.root)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        environment = {"PATH": os.environ["PATH"], "TERM": "xterm"}
        os.execve(sys.executable, [*COMMAND, "apply", "--auto-approve"], environment)
    wait_until_copying(slow)
    os.close(terminal)
    os.waitpid(pid, 0)

    assert 0 == run("plan", "--detailed-exitcode", cwd=slow.root).returncode
