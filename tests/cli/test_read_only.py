"""Commands that only look change nothing, as the kernel tells: no call of theirs could."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconcile.cli.demo.stage import Stage
from tests.cli.conftest import COMMAND, Run, staged
from tests.host.disk import picture
from tests.stories.system_calls import ALWAYS_CHANGING, OPENING, Trace

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


def traced(folder: Path, stage: Stage, *arguments: str) -> Trace:
    trace = folder / "trace"
    wanted = ",".join("?" + name for name in (*ALWAYS_CHANGING, *OPENING, "mount_setattr"))
    subprocess.run(
        ["strace", "-f", "-y", "-qq", "-o", trace, "-e", f"trace={wanted}", *COMMAND, *arguments],
        cwd=stage.root,
        # Whether bytecode is kept is Python's business, and no part of a host's state.
        env={"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=120,
    )
    return Trace(tuple(trace.read_text(errors="backslashreplace").splitlines()))


@pytest.fixture(scope="module")
def applied() -> Iterator[Stage]:
    """One host for all tests here: none of the commands changes it."""
    with staged() as stage:
        apply = [*COMMAND, "apply", "--auto-approve"]
        subprocess.run(apply, cwd=stage.root, check=True, capture_output=True)
        yield stage


@pytest.fixture
def drifted(applied: Stage) -> Iterator[Stage]:
    media = Path(applied.root, "www/media")
    mode = media.stat().st_mode
    media.chmod(0o700)
    yield applied
    media.chmod(mode)


def seen(stage: Stage) -> dict[str, tuple[object, ...]]:
    """Every file of the stage; not the logs of what runs there."""
    found = picture(Path(stage.root))
    return {
        path: facts
        for path, facts in found.items()
        if path not in DRIFT_MEMORY and not path.startswith(("log/", "state/log"))
    }


@pytest.mark.parametrize("command", COMMANDS)
def test_it_makes_no_changing_call_and_leaves_every_file_as_it_was(
    tmp_path: Path, drifted: Stage, command: str
) -> None:
    before = seen(drifted)

    trace = traced(tmp_path, drifted, *COMMANDS[command])

    assert [] == [call for call in trace.changing() if not ITS_OWN.search(call)]
    assert before == seen(drifted)


@pytest.mark.parametrize("command", ["doctor", "verify"])
def test_what_has_nginx_or_an_upload_tested_leaves_every_file_as_it_was(
    run: Run, applied: Stage, command: str
) -> None:
    """Nginx tests in a private place, where it may write; a canary is removed again."""
    before = seen(applied)

    run(command, cwd=applied.root)

    assert before == seen(applied)


@pytest.mark.parametrize("command", ["plan", "drift", "doctor", "verify"])
def test_it_looks_from_where_nothing_can_be_written(
    tmp_path: Path, applied: Stage, command: str
) -> None:
    trace = traced(tmp_path, applied, command)

    assert any(CLOSED.search(line) for line in trace.lines)
