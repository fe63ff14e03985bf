"""What would be copied is a part of what was approved."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.resources.assets import Assets
from reconcile.system import Host
from tests.support.host import host

__all__ = ["host"]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file.css").write_text("one")
    return tmp_path


def approved(source: Path, host: Host) -> str:
    """What a saved plan binds of a copy that is made of `source`."""
    wanted = Assets(path=f"{source}-copy", source=str(source))
    return wanted.planned(host).bound(host).effects_digest()


def test_the_same_contents_have_the_same_digest(source: Path, host: Host) -> None:
    before = approved(source, host)
    (source / "a/file.css").touch()

    assert before == approved(source, host)


def test_another_content_name_or_folder_has_another_digest(source: Path, host: Host) -> None:
    seen = {approved(source, host)}
    (source / "a/file.css").write_text("two")
    seen.add(approved(source, host))
    (source / "a/file.css").rename(source / "a/other.css")
    seen.add(approved(source, host))
    (source / "c").mkdir()
    seen.add(approved(source, host))

    assert 4 == len(seen)


def test_links_that_lead_round_in_a_circle_come_to_an_end(source: Path, host: Host) -> None:
    (source / "a/to-b").symlink_to("../b")
    (source / "b/to-a").symlink_to("../a")

    assert approved(source, host).startswith("sha256:")
