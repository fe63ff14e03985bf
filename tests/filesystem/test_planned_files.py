"""What the planned changes will leave is read as if it were on the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.planned_entry import ABSENT, FOLDER, Link
from reconcile.filesystem.planned_files import PlannedFiles
from reconcile.system import Host
from reconcile.system.planned_host import PlannedHost


@pytest.fixture
def root(site: Path) -> Path:
    return site


@pytest.fixture
def planned(host: Host) -> PlannedFiles:
    return PlannedHost(host).files


@pytest.fixture
def releases(root: Path) -> Path:
    """Two releases, and a symlink on the disk that leads to the first by way of another."""
    for number in (1, 2):
        (root / f"rel{number}/static").mkdir(parents=True)
        (root / f"rel{number}/static/app.css").write_text(f"release {number}")
    (root / "current").symlink_to(root / "rel1")
    (root / "www").symlink_to(root / "current")
    return root


def test_a_planned_content_is_read_where_the_disk_has_another(
    planned: PlannedFiles, root: Path
) -> None:
    (root / "a").write_text("disk")

    planned.plan(f"{root}/a", b"planned")

    assert b"planned" == planned.read(f"{root}/a")


@pytest.mark.parametrize("path", ["current/static/app.css", "www/static/app.css"])
def test_a_link_that_will_turn_is_followed_to_where_it_will_lead(
    planned: PlannedFiles, releases: Path, path: str
) -> None:
    before = planned.read(f"{releases}/{path}")

    planned.plan(f"{releases}/current", Link(f"{releases}/rel2"))

    assert (b"release 1", b"release 2") == (before, planned.read(f"{releases}/{path}"))


def test_a_relative_link_that_does_not_exist_yet_is_followed(
    planned: PlannedFiles, releases: Path
) -> None:
    planned.plan(f"{releases}/new", Link("rel2"))

    assert f"{releases}/rel2/static" == planned.locate(f"{releases}/new/static")
    assert ["app.css"] == planned.listdir(f"{releases}/new/static")


def test_links_that_lead_to_each_other_are_an_error(planned: PlannedFiles, root: Path) -> None:
    planned.plan(f"{root}/a", Link("b"))
    planned.plan(f"{root}/b", Link("a"))

    with pytest.raises(HostError, match="symlink"):
        planned.read(f"{root}/a")


def test_what_will_be_removed_is_absent_for_every_reading(
    planned: PlannedFiles, root: Path
) -> None:
    (root / "a").write_text("disk")

    planned.plan(f"{root}/a", ABSENT)

    assert planned.stat(f"{root}/a") is None
    assert planned.content(f"{root}/a") is None
    assert [] == planned.listdir(str(root))
    with pytest.raises(HostError, match="does not exist"):
        planned.read(f"{root}/a")


def test_a_wildcard_finds_planned_names_also_in_a_directory_that_is_planned(
    planned: PlannedFiles, root: Path
) -> None:
    (root / "a.conf").write_text("disk")
    planned.plan(f"{root}/b.conf", b"planned")
    planned.plan(f"{root}/d", FOLDER)
    planned.plan(f"{root}/d/c.conf", b"planned")

    assert [f"{root}/a.conf", f"{root}/b.conf"] == planned.glob(f"{root}/*.conf")
    assert [f"{root}/d/c.conf"] == planned.glob(f"{root}/d/*.conf")


def test_what_is_planned_counts_as_changed_now_and_so_does_its_directory(
    host: Host, root: Path
) -> None:
    (root / "a").write_text("disk")
    planned = PlannedHost(host).files
    disk = planned.stat(str(root))

    planned.plan(f"{root}/a", ABSENT)

    later = planned.stat(str(root))
    assert disk is not None
    assert later is not None
    assert later.ctime_ns > disk.ctime_ns


def test_what_no_plan_touches_is_read_from_the_disk(planned: PlannedFiles, root: Path) -> None:
    (root / "a").write_text("disk")
    planned.plan(f"{root}/b", b"planned")

    assert b"disk" == planned.read(f"{root}/a")
    assert f"{root}/a" == planned.locate(f"{root}/a")
