"""The changelog of a release, joined from the fragments of docs/changes."""

from __future__ import annotations

import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / ".packaging/changelog.py"
HEAD = "# Changelog\n\nWhat changes for users.\n"
OLDER = "\n## 1.0.0 - 2026-01-01\n\n### Added\n\n#### Plans\n\nText.\n"

pytestmark = pytest.mark.process


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with two fragments and a version that was released."""
    (tmp_path / "docs/changes").mkdir(parents=True)
    (tmp_path / ".packaging").mkdir()
    shutil.copy(SCRIPT, tmp_path / ".packaging")
    (tmp_path / "docs/CHANGELOG.md").write_text(HEAD + OLDER)
    write_fragment(tmp_path, "README", "# Changes\n")
    write_fragment(
        tmp_path, "hold", "# Holds\n\nSee [pages](../yaml.md), [code](../../README.md).\n"
    )
    write_fragment(tmp_path, "lock.fixed", "# Locks\n\n## Details\n\nText.\n")
    return tmp_path


def write_fragment(checkout: Path, name: str, text: str) -> None:
    (checkout / f"docs/changes/{name}.md").write_text(text)


def run(checkout: Path, *arguments: str) -> str:
    command = [sys.executable, checkout / ".packaging/changelog.py", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_fragments_stand_in_their_sections_above_the_versions_before(checkout: Path) -> None:
    expected = (
        f"{HEAD}\n## Unreleased\n\n### Added\n\n#### Holds\n\n"
        "See [pages](yaml.md), [code](../README.md).\n\n"
        f"### Fixed\n\n#### Locks\n\n##### Details\n\nText.\n{OLDER}"
    )

    assert expected == run(checkout)


def test_a_release_writes_its_version_and_uses_the_fragments_up(checkout: Path) -> None:
    run(checkout, "--release", "1.1.0", "2026-02-01")

    text = (checkout / "docs/CHANGELOG.md").read_text()
    assert "\n## 1.1.0 - 2026-02-01\n" in text
    assert text == run(checkout)
    assert ["README.md"] == [path.name for path in (checkout / "docs/changes").iterdir()]


def test_every_fragment_of_the_project_has_a_heading_of_its_own() -> None:
    fragments = runpy.run_path(str(SCRIPT))["fragments"]()
    texts = [path.read_text() for path in fragments]

    headings = [text.partition("\n")[0] for text in texts]

    assert all(heading.startswith("# ") for heading in headings)
    assert len(headings) == len(set(headings))
