"""What the packages bring beside the program."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from reconcile.cli.app import COMMANDS

PACKAGING = Path(__file__).parents[2] / ".packaging"
LOCK = PACKAGING / "requirements.lock"


@pytest.mark.process
def test_every_command_has_a_man_page(tmp_path: Path) -> None:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "1700000000"}
    script = [sys.executable, PACKAGING / "man_pages.py", tmp_path]
    subprocess.run(script, env=environment, check=True)

    pages = {page.name for page in tmp_path.iterdir()}
    first = (tmp_path / "reconcile-plan.1").read_text()

    assert {"reconcile.1", *(f"reconcile-{name}.1" for name in COMMANDS)} <= pages
    assert "reconcile-plan \\- Show what apply would change; change nothing" in first
    assert "2023-11-14" in first


def test_every_dependency_is_locked_by_its_hash() -> None:
    project = (PACKAGING.parent / "pyproject.toml").read_text()
    [listed] = re.findall(r"^dependencies = \[(.*?)\]", project, re.MULTILINE | re.DOTALL)
    needed = set(re.findall(r'"([a-z0-9-]+)', listed))
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", LOCK.read_text(), re.MULTILINE))

    assert set() == needed - locked.keys()
    assert "://" not in LOCK.read_text()
    assert len(locked) <= LOCK.read_text().count("--hash=sha256:")
