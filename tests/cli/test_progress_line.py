"""What a person at a terminal sees of a look that takes long, and nobody else."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
from pathlib import Path

import pytest

from reconcile.cli.demo.demo_host import DemoHost
from tests.support.command import Run

pytestmark = pytest.mark.process

AT_ONCE = """
import sys
from reconcile.cli import progress_line
progress_line.AFTER_S, progress_line.EVERY_S = {after}, 0.0005
from reconcile.cli.main import main
sys.exit(main())
"""
LONG = """
import time
from reconcile.cli.progress_line import file_progress
from reconcile.system import Host
host = Host()
with file_progress(host, json={json}):
    for _ in range(30):
        host.scan_progress.add(1000) if host.scan_progress else None
        time.sleep({pause})
print("the plan")
"""
LINE = re.compile(r"Reading files: ([\d,]+) so far \([\d,]+/s\)")
ERASED = "\r\x1b[K"
FILES = 6_000


def on_a_terminal(*command: str, cwd: str = "/", env: dict[str, str] | None = None) -> str:
    """All that the program writes to a terminal that is its stdout and stderr."""
    terminal, side = pty.openpty()
    program = subprocess.Popen(
        [sys.executable, *command],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "TERM": "xterm", **(env or {})},
        stdin=side,
        stdout=side,
        stderr=side,
    )
    os.close(side)
    shown = b""
    try:
        while data := os.read(terminal, 65536):
            shown += data
    except OSError:
        pass  # Linux says EIO when the other side has gone
    os.close(terminal)
    assert 0 == program.wait(), shown.decode()
    return shown.decode().replace("\r\n", "\n")


def left_on_the_screen(shown: str) -> str:
    """What a terminal still shows of a line that was written over and erased."""
    return "\n".join(line.rpartition(ERASED)[2] for line in shown.split("\n"))


def read_files(*, json: bool = False, pause: float = 0.05) -> tuple[str, str]:
    return "-c", LONG.format(json=json, pause=pause)


@pytest.fixture
def many(demo: DemoHost, run: Run) -> DemoHost:
    """An applied host with enough uploads for several readers."""
    done = run("apply", "--auto-approve", cwd=demo.root)
    assert 0 == done.returncode, done.stdout + done.stderr
    media = Path(demo.root, "www/media")
    owner = media.stat()
    for number in range(FILES):
        folder = media / f"{number % 40:02}"
        folder.mkdir(exist_ok=True)
        (folder / f"{number}.jpg").touch()
    subprocess.run(["chown", "-R", f"{owner.st_uid}:{owner.st_gid}", media], check=True)
    return demo


def test_a_long_scan_shows_progress_and_leaves_nothing_on_the_screen() -> None:
    shown = on_a_terminal(*read_files())

    counts = [int(found.replace(",", "")) for found in LINE.findall(shown)]
    assert counts
    assert sorted(counts) == counts
    assert 0 < counts[-1] <= 30_000
    assert "the plan\n" == left_on_the_screen(shown)


def test_one_that_does_not_is_not() -> None:
    assert "the plan\n" == on_a_terminal(*read_files(pause=0.001))


@pytest.mark.parametrize(
    ("json", "env"),
    [(True, {}), (False, {"NO_COLOR": "1"}), (False, {"TERM": "dumb"})],
    ids=["--json", "NO_COLOR", "a dumb terminal"],
)
def test_where_it_would_disturb_it_is_not(json: bool, env: dict[str, str]) -> None:
    assert "the plan\n" == on_a_terminal(*read_files(json=json), env=env)


def test_into_a_pipe_it_is_not() -> None:
    done = subprocess.run(
        [sys.executable, *read_files()], capture_output=True, text=True, check=True
    )

    assert ("the plan\n", "") == (done.stdout, done.stderr)


@pytest.mark.parametrize(
    "command", [["plan"], ["drift"], ["apply", "--auto-approve"]], ids=lambda command: command[0]
)
def test_progress_shows_during_a_scan_and_is_erased_after_it(
    many: DemoHost, command: list[str]
) -> None:
    shown = on_a_terminal("-c", AT_ONCE.format(after=0), *command, cwd=many.root)

    counts = [int(found.replace(",", "")) for found in LINE.findall(shown)]
    assert max(counts) > 0
    screen = left_on_the_screen(shown)
    assert "No changes." in screen
    assert "Reading files" not in screen


def test_a_plan_that_is_there_at_once_shows_nothing_of_it(many: DemoHost) -> None:
    shown = on_a_terminal("-c", AT_ONCE.format(after=60), "plan", cwd=many.root)

    assert ERASED not in shown
