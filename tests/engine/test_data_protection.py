"""Other people's data, as against everything that could write there."""

from __future__ import annotations

import pytest

from reconcile.engine.data_protection import Locations, Protection, violations
from reconcile.engine.model import Plan
from reconcile.engine.resource import Resource
from reconcile.filesystem.path import ancestors
from reconcile.filesystem.place import Location, Place
from reconcile.resources.assets import Assets
from reconcile.resources.directory import Directory
from reconcile.resources.file import File
from reconcile.resources.symlink import Symlink
from reconcile.resources.tree import Tree
from tests.support.world import Note, a_world, declare, last_wrote, planned

MEDIA = "/var/www/shop/media"


@pytest.mark.parametrize(
    "resource",
    [
        File(path=f"{MEDIA}/robots.txt", content=b"x"),
        Symlink(path=MEDIA, target="/elsewhere"),
        Assets(path=MEDIA, source="/srv/static"),
        Assets(path=f"{MEDIA}/css", source="/srv/static"),
        Assets(path="/var/www/shop", source="/srv/static"),
        Assets(path="/var/www/shop", source="/srv/static", except_=(f"{MEDIA}-old",)),
    ],
    ids=[
        "a file in it",
        "a link in its place",
        "assets in its place",
        "assets in it",
        "assets above it",
        "assets that spare something else",
    ],
)
def test_nothing_may_be_declared_that_could_write_there(resource: Resource) -> None:
    (conflict,) = violations(declare(resource), Protection({MEDIA: ()}))

    assert resource.ref == conflict.ref


@pytest.mark.parametrize(
    "resource",
    [
        Directory(path=MEDIA, mode=0o755),
        Directory(path=f"{MEDIA}/2026", mode=0o755),
        Tree(path="/var/www/shop"),
        Assets(path="/var/www/shop", source="/srv/static", except_=(MEDIA,)),
        File(path=f"{MEDIA}.conf", content=b"x"),
    ],
    ids=["its directory", "one in it", "a tree above it", "assets that spare it", "a neighbour"],
)
def test_what_only_sets_owners_or_keeps_away_may(resource: Resource) -> None:
    assert () == violations(declare(resource), Protection({MEDIA: ()}))


@pytest.mark.parametrize(
    ("resource", "folder", "at"),
    [
        (Assets(path="/srv/static", source="/src"), "/srv/static", MEDIA),
        (Assets(path="/srv/shop/css", source="/src"), "/srv/shop/css", f"{MEDIA}/css"),
        (Assets(path="/srv/shop", source="/src"), "/srv/shop", "/var/www/shop"),
        (File(path="/srv/media/robots.txt", content=b"x"), "/srv/media", MEDIA),
    ],
    ids=["the same place", "a place in it", "a place above it", "a file in it"],
)
def test_nor_by_another_name_of_the_place(resource: Resource, folder: str, at: str) -> None:
    locations = {MEDIA: _lineage(MEDIA), folder: _lineage(at)}

    (conflict,) = violations(declare(resource), Protection({MEDIA: ()}, locations))

    assert f"protected: {MEDIA}, of which this is another name" == conflict.values[1]


@pytest.mark.parametrize(
    ("resource", "folder", "at"),
    [
        (Assets(path="/srv/static", source="/src"), "/srv/static", "/var/www/shop/static"),
        (
            Assets(path="/srv/shop", source="/src", except_=("/srv/shop/media",)),
            "/srv/shop",
            "/var/www/shop",
        ),
        (Symlink(path="/srv/current", target=MEDIA), "/srv", "/srv"),
    ],
    ids=["a neighbour", "assets that spare it", "a link to it"],
)
def test_another_name_of_another_place_is_no_matter(
    resource: Resource, folder: str, at: str
) -> None:
    locations = {MEDIA: _lineage(MEDIA), folder: _lineage(at)}

    assert () == violations(declare(resource), Protection({MEDIA: ()}, locations))


def test_where_the_protected_is_absent_nothing_can_be_lost() -> None:
    absent = Location(MEDIA, (Place("disk", MEDIA, 0, 0),), _lineage(MEDIA)[0].above)
    locations = {MEDIA: (absent,), "/srv/shop": _lineage("/var/www/shop")}

    declared = declare(Assets(path="/srv/shop", source="/src"))

    assert () == violations(declared, Protection({MEDIA: ()}, locations))


@pytest.mark.parametrize("source", [MEDIA, f"{MEDIA}/2026", "/srv/alias"])
def test_what_is_protected_is_not_published(source: str) -> None:
    locations = {MEDIA: _lineage(MEDIA), "/srv/alias": _lineage(MEDIA)}
    assets = Assets(path="/var/www/shop/static", source=source)

    (conflict,) = violations(declare(assets), Protection({MEDIA: ()}, locations))

    assert ("published by this", True) == (conflict.values[0], MEDIA in conflict.values[1])


def test_a_place_that_only_the_record_knows_is_protected() -> None:
    """The folder, or one above it, was renamed; or its name leads elsewhere now."""
    place = Place("disk", "/var/www/old/media", 7, 0)
    moved = Location("/srv/m", (Place("disk", "/srv/m", 7, 0),))

    (conflict,) = violations(
        declare(File(path="/srv/m/u.jpg", content=b"x")),
        Protection({"/var/www/old/media": (place,)}, {"/srv/m": (moved,)}),
    )

    assert "/var/www/old/media" in conflict.values[1]


class TestRemovals:
    """What is no longer declared stays where it has become another name of users' data."""

    ROWS = last_wrote(Note(path="/alias/u.jpg", text="x"))

    def test_a_file_that_lies_there_by_another_name_is_kept(self) -> None:
        locations = {MEDIA: _lineage(MEDIA), "/alias": _lineage(MEDIA)}

        plan = self._plan(locations)

        assert () == plan.changes
        assert [f"it lies in {MEDIA}, which is protected"] == [
            finding.what.partition("kept: ")[2] for finding in plan.findings
        ]

    def test_a_file_elsewhere_is_removed(self) -> None:
        locations = {MEDIA: _lineage(MEDIA), "/alias": _lineage("/alias")}

        assert 1 == self._plan(locations).count("delete")

    def _plan(self, locations: Locations) -> Plan:
        world = a_world(Note(path="/alias/u.jpg", text="x"))
        return planned(world, {}, self.ROWS, protection=Protection({MEDIA: ()}, locations))


def _lineage(path: str) -> tuple[Location, ...]:
    itself, *above = (Place("disk", one, hash(one) or 1, 0) for one in (path, *ancestors(path)))
    return (Location(path, (itself,), tuple(above)),)
