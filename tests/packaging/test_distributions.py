"""What is uploaded to an index, and the man pages, as their own checkers read them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.process

CHECKOUT = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}


def run(*command: object) -> subprocess.CompletedProcess[str]:
    parts = [str(part) for part in command]
    return subprocess.run(
        parts, cwd=CHECKOUT, env=ENVIRONMENT, capture_output=True, text=True, check=False
    )


def test_two_builds_have_the_same_bytes_and_an_index_accepts_them(tmp_path: Path) -> None:
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder, umask in zip(folders, ("0022", "0077"), strict=True):
        build = [sys.executable, "-m", "hatchling", "build", "-d", folder]
        done = run("sh", "-c", f'umask {umask}; exec "$@"', "sh", *build)
        assert 0 == done.returncode, done.stderr
    first, second = ({file.name: file.read_bytes() for file in one.iterdir()} for one in folders)

    checked = run(sys.executable, "-m", "twine", "check", "--strict", *folders[0].iterdir())

    assert 2 == len(first)
    assert first == second
    assert 0 == checked.returncode, checked.stdout


def test_mandoc_warns_of_nothing_in_the_man_pages(tmp_path: Path) -> None:
    run(sys.executable, ".packaging/man_pages.py", tmp_path)

    checked = run("mandoc", "-T", "lint", "-W", "warning", *sorted(tmp_path.iterdir()))

    assert (0, "") == (checked.returncode, checked.stdout)
