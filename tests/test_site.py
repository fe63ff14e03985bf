"""The documentation as a site: each page is in its menu, each link and anchor leads somewhere."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from reconcile.doctor.rules import IDS

PROJECT = Path(__file__).parents[1]
BUILD = [sys.executable, str(PROJECT / ".site/build.py")]


@pytest.mark.process
def test_the_site_is_built_without_a_broken_link_or_a_page_that_no_menu_has(tmp_path: Path) -> None:
    done = subprocess.run([*BUILD, str(tmp_path / "site"), "--blank-screens"], **CAPTURED)

    assert 0 == done.returncode, done.stdout + done.stderr
    assert (tmp_path / "site/reference/commands/index.html").exists()
    assert "prevent_destroy" in (tmp_path / "site/search.json").read_text()


@pytest.mark.process
@pytest.mark.nightly
def test_its_screens_are_what_the_commands_print(tmp_path: Path) -> None:
    done = subprocess.run([*BUILD, str(tmp_path / "site")], **CAPTURED)

    assert 0 == done.returncode, done.stdout + done.stderr
    plan = (tmp_path / "site/screens/plan.svg").read_text()
    assert "Plan:" in plan
    assert "https:" not in plan


def test_every_rule_is_found_by_its_symptom() -> None:
    listed = re.findall(r"\(doctor/([a-z-]+)\.md\)", (PROJECT / "docs/symptoms.md").read_text())

    assert {*IDS} == {*listed}


CAPTURED = {"cwd": PROJECT, "capture_output": True, "text": True, "check": False}
