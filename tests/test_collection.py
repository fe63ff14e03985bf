"""What is collected depends on the tests alone: workers that differ refuse to share them."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.collected import COLLECTED

pytestmark = pytest.mark.process

UNLIKE = {
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "PATH": "/usr/bin:/bin",
    "PYTHONHASHSEED": "1",
    "TZ": "Pacific/Chatham",
}


def test_the_same_tests_are_collected_later_and_from_another_clone(
    pytestconfig: pytest.Config, tmp_path: Path
) -> None:
    here = pytestconfig.stash[COLLECTED]
    clone = tmp_path / "another clone"
    _copy(pytestconfig.rootpath, clone)

    there = _collected(clone, sorted({node.partition("::")[0] for node in here}))

    assert set() == here - there


def _copy(project: Path, clone: Path) -> None:
    shutil.copytree(project / "tests", clone / "tests", ignore=shutil.ignore_patterns("*.pyc"))
    for entry in project.iterdir():
        if entry.name != "tests":
            (clone / entry.name).symlink_to(entry)


def _collected(clone: Path, files: list[str]) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider",
         f"--rootdir={clone}", *(f"{clone}/{file}" for file in files)],
        cwd="/", env=UNLIKE | {"PYTHONPATH": str(clone)},
        capture_output=True, text=True, umask=0o077, check=False,
    )  # fmt: skip
    assert 0 == done.returncode, done.stdout[-2000:] + done.stderr
    return {line for line in done.stdout.splitlines() if "::" in line}
