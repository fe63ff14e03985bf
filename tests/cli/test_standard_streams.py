"""A full disk behind stdout, closed streams, a working directory that is gone or is Python's."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from reconcile.cli.app import COMMANDS

pytestmark = pytest.mark.process

ARGUMENTS = {
    "init": ("init", "-f", "{}/new.yaml"),
    "adopt": ("adopt",),
    "pull": ("pull", "{}/none.git", "--unsigned", "--state-dir", "{}/state"),
    "schedule": ("schedule", "status", "-f", "{}/reconcile.yaml"),
    "explain": ("explain", "http://example.com/", "-f", "{}/reconcile.yaml"),
    "state": ("state", "list", "-f", "{}/reconcile.yaml"),
    "rollback": ("rollback", "--auto-approve", "-f", "{}/reconcile.yaml"),
    "apply": ("apply", "--auto-approve", "-f", "{}/reconcile.yaml"),
    "demo": ("demo", "--help"),
    "schema": ("schema",),
}
LIBRARY = os.path.dirname(os.__file__)
PACKAGES = next(entry for entry in sys.path if entry.endswith("site-packages"))
SCRIPT = "import sys; from reconcile.cli.main import main; sys.exit(main())"


@pytest.fixture(params=COMMANDS)
def command(request: pytest.FixtureRequest, tmp_path: Path) -> list[str]:
    """Each command, on a host of which nothing but a folder is declared."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "reconcile.yaml").write_text(
        f"version: 1\nhost: {{state_dir: {tmp_path}/state, service_manager: process}}\n"
        f"paths: {{{tmp_path}/folder: {{owner: assets}}}}\n"
    )
    arguments = ARGUMENTS.get(request.param, (request.param, "-f", "{}/reconcile.yaml"))
    return [part.format(tmp_path) for part in arguments]


def shell(script: str, command: list[str], **more: object) -> subprocess.CompletedProcess[str]:
    argv = ["sh", "-c", script, "sh", sys.executable, "-P", "-c", SCRIPT, *command]
    return subprocess.run(argv, text=True, capture_output=True, timeout=60, **more)  # type: ignore[call-overload,no-any-return]


def test_output_that_is_lost_is_an_error(command: list[str], tmp_path: Path) -> None:
    as_usual = shell('"$@"', command)
    (tmp_path / "new.yaml").unlink(missing_ok=True)
    full = shell('"$@" >/dev/full', command)

    assert "Traceback" not in full.stderr
    assert "Internal error" not in full.stderr
    if as_usual.stdout and as_usual.returncode in (0, 2):
        assert (1, True) == (full.returncode, "The output could not be written" in full.stderr)


@pytest.mark.parametrize("command", ["init", "plan", "drift", "apply"], indirect=True)
def test_closed_and_full_streams_change_no_exit_code(command: list[str], tmp_path: Path) -> None:
    codes = set()
    for streams in ("", "2>/dev/full", "<&- >&- 2>&-"):
        done = shell(f'"$@" {streams}', command)
        codes.add(done.returncode)
        assert "Traceback" not in done.stderr
        (tmp_path / "new.yaml").unlink(missing_ok=True)

    assert 1 == len(codes)


@pytest.mark.parametrize("command", ["validate", "plan", "drift"], indirect=True)
@pytest.mark.parametrize("folder", ["gone", LIBRARY, PACKAGES], ids=["gone", "library", "packages"])
def test_every_working_directory_will_do(command: list[str], folder: str, tmp_path: Path) -> None:
    (tmp_path / "gone").mkdir()
    elsewhere = shell('"$@"', command, cwd="/").returncode
    (tmp_path / "new.yaml").unlink(missing_ok=True)

    there = shell(f'cd {folder}; rmdir {tmp_path}/gone; "$@"', command, cwd=tmp_path)

    assert "Traceback" not in there.stderr
    assert "Internal error" not in there.stderr
    assert elsewhere == there.returncode, there.stderr
