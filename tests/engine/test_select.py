"""Which part of the declaration a command is about."""

from __future__ import annotations

import pytest

from reconcile.engine.model import Declared
from reconcile.engine.resource import Ref
from reconcile.engine.selection import Selection, select
from reconcile.errors import ReconcileError
from tests.support.world import Note, Shelf

SHELF = Shelf(path="/s")
SHOP = Note(path="/s/shop", stands_on=("shelf:/s",))
BLOG = Note(path="/blog")
DESIRED = {
    SHELF.ref: Declared(SHELF, ("shop", "blog")),
    SHOP.ref: Declared(SHOP, ("shop",)),
    BLOG.ref: Declared(BLOG, ("blog",)),
}
GONE = Ref("note", "/gone")
OWNED = {GONE: ("old",), SHOP.ref: ("renamed",)}


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), {SHELF.ref, SHOP.ref, BLOG.ref, GONE}),
        (Selection(sites=("blog",)), {SHELF.ref, BLOG.ref}),
        (Selection(sites=("old",)), {GONE}),
        (Selection(targets=("note:/blog",)), {BLOG.ref}),
        (Selection(targets=("note:/s/shop",)), {SHOP.ref, SHELF.ref}),
        (Selection(targets=("note:*",)), {SHOP.ref, SHELF.ref, BLOG.ref, GONE}),
        (Selection(excludes=("note:*",)), {SHELF.ref}),
        (Selection(sites=("shop",), excludes=("shelf:/s",)), {SHOP.ref}),
    ],
    ids=[
        "nothing said is everything",
        "a site with what it shares",
        "a site that was dropped",
        "an address",
        "a target brings what it requires",
        "a pattern",
        "an exclusion",
        "both",
    ],
)
def test_a_selection_chooses(selection: Selection, expected: set[Ref]) -> None:
    assert expected == select(DESIRED, OWNED, selection)


def test_an_address_that_does_not_exist_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(ReconcileError) as error:
        select(DESIRED, OWNED, Selection(targets=("note:/blag",)))

    assert "Did you mean note:/blog?" == error.value.fix


def test_a_site_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ReconcileError, match="No site or resource named shup"):
        select(DESIRED, OWNED, Selection(sites=("shup",)))


def test_a_site_that_is_like_no_other_is_refused_with_those_there_are() -> None:
    with pytest.raises(ReconcileError) as refused:
        select(DESIRED, OWNED, Selection(sites=("zzz",)))

    assert refused.value.fix.startswith("The sites here: ")
    assert "shop" in refused.value.fix


@pytest.mark.parametrize(
    ("selection", "partial"), [(Selection(), False), (Selection(excludes=("note:/blog",)), True)]
)
def test_a_plan_of_a_selection_is_partial(selection: Selection, partial: bool) -> None:
    assert partial == selection.partial
