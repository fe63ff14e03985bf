"""Fifty people type `reconcile apply` at the same moment, each with a change of his own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reconcile.cli.demo.demo_host import DemoHost
from reconcile.engine.history_integrity import check_history
from reconcile.engine.ledger_store import read_ledger
from reconcile.engine.recovery import unfinished
from tests.support.command import COMMAND, Run
from tests.support.tally import TALLY

pytestmark = pytest.mark.process

WAITING = ("--auto-approve", "--no-verify", "--lock-timeout", "500")
# Tells when an apply begins and ends, from inside of the one process that holds the lock.
LOGGING_COMMAND = """
import os, sys
from reconcile.engine import apply as engine
from reconcile.cli.main import main
real = engine._ApplyRun.execute
log = os.open(sys.argv.pop(), os.O_WRONLY | os.O_APPEND)
def run(attempt):
    os.write(log, b"in %d\\n" % os.getpid())
    try:
        return real(attempt)
    finally:
        os.write(log, b"out %d\\n" % os.getpid())
engine._ApplyRun.execute = run
sys.exit(main())
"""


def start(demo: DemoHost, number: int, log: Path) -> subprocess.Popen[bytes]:
    """An apply of the same site that takes uploads `number` megabytes larger."""
    yaml = Path(demo.root, f"{number}.yaml")
    yaml.write_text(Path(demo.file).read_text().replace("20MB", f"{number + 21}MB"))
    argv = [sys.executable, "-c", LOGGING_COMMAND, "apply", "-f", yaml, *WAITING]
    return subprocess.Popen([*argv, log], cwd=demo.root, stdout=subprocess.DEVNULL)


@pytest.mark.parametrize("at_once", [10, pytest.param(50, marks=pytest.mark.nightly)])
def test_exactly_one_apply_is_at_work_at_any_time_and_no_row_is_lost(
    run: Run, demo: DemoHost, tmp_path: Path, at_once: int
) -> None:
    assert 0 == run("apply", "--auto-approve", cwd=demo.root).returncode
    log = tmp_path / "log"
    log.touch()

    processes = [start(demo, number, log) for number in range(at_once)]
    codes = [process.wait(timeout=600) for process in processes]

    TALLY["applies at once on one host"] += at_once
    assert [0] * at_once == codes
    entries = [line.split() for line in log.read_text().splitlines()]
    assert ["in", "out"] * at_once == [word for word, _ in entries]
    assert all(entries[i][1] == entries[i + 1][1] for i in range(0, len(entries), 2))
    state = demo.host.state
    rows, problems = check_history(state, read_ledger(state))
    assert at_once + 1 == len(rows) == read_ledger(state).serial
    assert () == problems
    assert () == unfinished(demo.host)


def test_without_waiting_all_but_one_are_refused_and_shown_the_holder(
    run: Run, demo: DemoHost
) -> None:
    argv = [*COMMAND, "apply", "--auto-approve"]
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    processes = [
        subprocess.Popen(
            argv,
            cwd=demo.root,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]

    ends = [(process.communicate(timeout=120)[1], process.returncode) for process in processes]

    assert {0, 4} == {code for _, code in ends}
    assert all("another apply is running" in entries for entries, code in ends if code == 4)
