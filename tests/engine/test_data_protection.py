"""Other people's data, as against everything that could write there."""

from __future__ import annotations

import pytest

from reconcile.engine.data_protection import violations
from reconcile.engine.resource import Resource
from reconcile.filesystem.inode import Inode
from reconcile.filesystem.path import ancestors
from reconcile.resources.assets import Assets
from reconcile.resources.directory import Directory
from reconcile.resources.file import File
from reconcile.resources.symlink import Symlink
from reconcile.resources.tree import Tree
from tests.support.world import declare

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
    (conflict,) = violations(declare(resource), frozenset({MEDIA}))

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
    assert () == violations(declare(resource), frozenset({MEDIA}))


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

    (conflict,) = violations(declare(resource), frozenset({MEDIA}), locations)

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

    assert () == violations(declare(resource), frozenset({MEDIA}), locations)


def test_where_the_protected_is_absent_nothing_can_be_lost() -> None:
    absent = (Inode(0, 0, MEDIA), *_lineage(MEDIA)[1:])
    locations = {MEDIA: absent, "/srv/shop": _lineage("/var/www/shop")}

    declared = declare(Assets(path="/srv/shop", source="/src"))

    assert () == violations(declared, frozenset({MEDIA}), locations)


def _lineage(path: str) -> tuple[Inode, ...]:
    return tuple(Inode(1, hash(one) or 1, one) for one in (path, *ancestors(path)))
