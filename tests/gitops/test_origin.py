"""What would be copied is a part of what was approved."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.filesystem.sync.source import digest_of_source


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file.css").write_text("one")
    return tmp_path


def test_the_same_contents_have_the_same_digest(source: Path) -> None:
    before = digest_of_source(str(source))
    (source / "a/file.css").touch()

    assert before == digest_of_source(str(source))


def test_another_content_name_or_folder_has_another_digest(source: Path) -> None:
    seen = {digest_of_source(str(source))}
    (source / "a/file.css").write_text("two")
    seen.add(digest_of_source(str(source)))
    (source / "a/file.css").rename(source / "a/other.css")
    seen.add(digest_of_source(str(source)))
    (source / "c").mkdir()
    seen.add(digest_of_source(str(source)))

    assert 4 == len(seen)


def test_links_that_lead_round_in_a_circle_come_to_an_end(source: Path) -> None:
    (source / "a/to-b").symlink_to("../b")
    (source / "b/to-a").symlink_to("../a")

    assert digest_of_source(str(source)).startswith("sha256:")
