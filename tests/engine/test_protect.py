"""Other people's data, as against everything that could write there."""

from __future__ import annotations

import pytest

from reconcile.engine.protect import violations
from reconcile.engine.resource import Resource
from reconcile.kinds.assets import Assets
from reconcile.kinds.directory import Directory
from reconcile.kinds.file import File
from reconcile.kinds.symlink import Symlink
from reconcile.kinds.tree import Tree
from tests.engine.world import declare

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
    ids=["a file in it", "a link in its place", "assets in its place", "assets in it",
         "assets above it", "assets that spare something else"],
)  # fmt: skip
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
