"""What would be copied is a part of what was approved."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.filesystem.sync.source import source_digest


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file.css").write_text("one")
    return tmp_path


def test_the_same_contents_have_the_same_digest(source: Path) -> None:
    before = source_digest(str(source))
    (source / "a/file.css").touch()

    assert before == source_digest(str(source))


def test_another_content_name_or_folder_has_another_digest(source: Path) -> None:
    seen = {source_digest(str(source))}
    (source / "a/file.css").write_text("two")
    seen.add(source_digest(str(source)))
    (source / "a/file.css").rename(source / "a/other.css")
    seen.add(source_digest(str(source)))
    (source / "c").mkdir()
    seen.add(source_digest(str(source)))

    assert 4 == len(seen)


def test_links_that_lead_round_in_a_circle_come_to_an_end(source: Path) -> None:
    (source / "a/to-b").symlink_to("../b")
    (source / "b/to-a").symlink_to("../a")

    assert source_digest(str(source)).startswith("sha256:")
