"""In which order changes are made."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.engine.model import Change
from reconcile.engine.order import in_order
from reconcile.engine.resource import Ref, Resource
from reconcile.errors import ReconcileError
from reconcile.resources.file import File
from reconcile.resources.nginx_live import NginxLive
from reconcile.resources.symlink import Symlink
from tests.support.world import Clock, Note, Shelf


def created(resource: Resource) -> Change:
    return Change(resource.ref, None, resource)


def deleted(resource: Resource) -> Change:
    return Change(resource.ref, resource, None)


def order_of(*changes: Change) -> list[str]:
    return [str(change.ref) for change in in_order(changes)]


def test_kinds_come_by_their_rank_then_by_depth_then_by_name() -> None:
    changes = [
        created(Clock(path="/c")),
        created(Note(path="/n")),
        created(Shelf(path="/b/x")),
        created(Shelf(path="/z")),
        created(Shelf(path="/a")),
    ]

    assert ["shelf:/a", "shelf:/z", "shelf:/b/x", "note:/n", "clock:/c"] == order_of(*changes)


def test_what_is_required_comes_first_whatever_its_rank() -> None:
    shelf = Shelf(path="/s", stands_on=("note:/n",))

    assert ["note:/n", "shelf:/s"] == order_of(created(shelf), created(Note(path="/n")))


def test_what_is_required_but_not_changed_is_ignored() -> None:
    assert ["note:/n"] == order_of(created(Note(path="/n", stands_on=("shelf:/elsewhere",))))


def test_removal_goes_the_other_way_and_deepest_first() -> None:
    changes = [deleted(Shelf(path="/s")), deleted(Shelf(path="/s/t")), deleted(Note(path="/s/n"))]

    assert ["note:/s/n", "shelf:/s/t", "shelf:/s"] == order_of(*changes)


def test_what_stood_on_something_is_removed_before_it() -> None:
    clock = Clock(path="/c", stands_on=("note:/n",))

    assert ["clock:/c", "note:/n"] == order_of(deleted(Note(path="/n")), deleted(clock))


def test_a_place_is_cleared_before_something_else_is_made_there() -> None:
    changes = [created(Shelf(path="/a")), deleted(Note(path="/a"))]

    assert ["note:/a", "shelf:/a"] == order_of(*changes)


def test_files_are_removed_before_the_generation_is_made_live() -> None:
    changes = [created(Clock(path="/live")), deleted(Note(path="/site"))]

    assert ["note:/site", "clock:/live"] == order_of(*changes)


def test_requirements_that_go_round_in_a_circle_are_refused() -> None:
    one = Note(path="/1", stands_on=("note:/2",))
    two = Note(path="/2", stands_on=("note:/1",))

    with pytest.raises(ReconcileError, match="cannot be ordered"):
        in_order([created(one), created(two)])


@st.composite
def chains(draw: st.DrawFn) -> list[Change]:
    """Notes that stand only on earlier ones, in any order."""
    count = draw(st.integers(1, 8))
    notes = [
        Note(
            path=f"/{i}",
            stands_on=tuple(f"note:/{j}" for j in draw(st.sets(st.integers(0, i - 1))))
            if i
            else (),
        )
        for i in draw(st.permutations(range(count)))
    ]
    return [created(note) for note in notes]


@given(chains())
def test_nothing_is_made_before_what_it_requires(changes: list[Change]) -> None:
    done: set[Ref] = set()
    for change in in_order(changes):
        assert change.subject.requires() <= done
        done.add(change.ref)


@given(chains(), st.randoms())
def test_the_order_does_not_depend_on_how_changes_were_listed(
    changes: list[Change], random: st.DataObject
) -> None:
    shuffled = [*changes]
    random.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random

    assert in_order(changes) == in_order(shuffled)


LIVE = NginxLive(
    config="/etc/nginx/nginx.conf",
    reads=frozenset({"/etc/nginx/sites-enabled/a.conf", "/etc/nginx/conf.d/b.conf"}),
)


@pytest.mark.parametrize(
    "served", [File(path="/var/www/old.txt"), Symlink(path="/srv/current", target="/srv/rel1")]
)
def test_what_nginx_may_still_serve_goes_after_its_reload(served: Resource) -> None:
    changes = (deleted(served), created(LIVE))

    assert [str(LIVE.ref), str(served.ref)] == order_of(*changes)


@pytest.mark.parametrize(
    "path", ["/etc/nginx/sites-enabled/a.conf", "/etc/nginx/sites-enabled", "/etc/nginx/conf.d"]
)
def test_what_nginx_would_load_again_goes_before_its_reload(path: str) -> None:
    link = Symlink(path=path, target="/elsewhere")

    assert [str(link.ref), str(LIVE.ref)] == order_of(deleted(link), created(LIVE))


def test_what_gives_way_to_a_successor_goes_when_that_comes() -> None:
    link, file = Symlink(path="/srv/a", target="/srv/b"), File(path="/srv/a", content=b"")

    assert [str(link.ref), str(file.ref), str(LIVE.ref)] == order_of(
        deleted(link), created(file), created(LIVE)
    )
