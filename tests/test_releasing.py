"""Which folders of releases go, and what is never taken for one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.laws.box import Box, a_box
from tests.laws.modelled_release import INTO, a_site, memory, modelled_steps

__all__ = ["memory", "modelled_steps"]

pytestmark = pytest.mark.process

RELEASES = f"{INTO}/releases"


def release(box: Box, versions: range, **keys: Any) -> None:
    """Apply a few versions in a row."""
    site = a_site({"source": "{release}/css"}) | keys
    site["app"]["release"]["keep"] = 2
    for number in versions:
        box.happen(("source", "src/app.js"), str(number))
        assert "applied" == box.apply({"sites": {"a": site}}).result


def test_what_others_put_beside_the_releases_stays(memory: str) -> None:
    with a_box(memory) as box:
        release(box, range(1))
        beside = Path(box.path(RELEASES))
        for name in ("shared/upload.jpg", "20240101120000/app.py", "0123456789ab/app.py", "README"):
            (beside / name).parent.mkdir(exist_ok=True)
            (beside / name).write_text("not a release")
        (beside / "latest").symlink_to("20240101120000")
        theirs = {name for name in os.listdir(beside) if len(name) != 12 or name.startswith("012")}

        release(box, range(1, 5))

        found = {*os.listdir(beside)}
        assert theirs <= found
        assert 2 == len(found - theirs)
        assert (beside / "shared/upload.jpg").exists()


def test_a_release_of_another_tool_stays_although_it_was_in_use(memory: str) -> None:
    with a_box(memory) as box:
        theirs = Path(box.path(RELEASES), "20240101120000")
        theirs.mkdir(parents=True)
        Path(box.path(f"{INTO}/current")).symlink_to(theirs)

        release(box, range(4))

        assert theirs.is_dir()


def test_releases_of_before_they_were_recorded_go_too(memory: str) -> None:
    with a_box(memory) as box:
        release(box, range(2))
        os.unlink(box.path("state/releases/a.made"))

        release(box, range(2, 5))

        assert 2 == len(os.listdir(box.path(RELEASES)))


def test_a_release_to_which_uploads_lead_is_not_removed(memory: str) -> None:
    with a_box(memory) as box:
        release(box, range(1))
        uploads = Path(os.path.realpath(box.path(f"{INTO}/current")), "uploads")
        uploads.mkdir()
        (uploads / "a.jpg").write_text("an upload")
        Path(box.path("www/uploads")).symlink_to(uploads)
        media = {"role": "media", "dir": "@/www/uploads"}
        site = a_site({"source": "{release}/css"})

        release(box, range(1, 5), locations={**site["locations"], "/media/": media})

        assert "an upload" == (uploads / "a.jpg").read_text()
