"""The index of places finds what a comparison of each pair finds."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconcile.filesystem.path import ancestors, is_inside, relative_to
from reconcile.filesystem.place import Location, Place
from reconcile.filesystem.place_index import PlaceIndex

paths = st.lists(st.sampled_from("abc"), max_size=3).map(lambda names: "/" + "/".join(names))


@st.composite
def locations(draw: st.DrawFn) -> Location:
    """A directory of one of two filesystems; its inode may have been somewhere else before."""
    device, path = draw(st.sampled_from(["ext4:1", "ext4:2"])), draw(paths)
    inode = draw(st.integers(0, 4))
    above = tuple(Place(device, one, 10 + len(one), 0) for one in ancestors(path))
    moved = Place(device, draw(paths), draw(st.integers(1, 4)), draw(st.sampled_from([0, 1, 2])))
    places = (Place(device, path, inode, 0), *draw(st.sampled_from([(), (moved,)])))
    return Location(path, places, above)


def present(folder: Location) -> list[Place]:
    return [place for place in folder.places if place.inode]


def lies_in(here: Location, folder: Location) -> bool:
    return any(
        one.is_same_inode(other) or (one.device == other.device and is_inside(one.path, other.path))
        for other in present(folder)
        for one in (*here.places, *here.above)
    )


def relatives(here: Location, folder: Location) -> set[str]:
    """By the paths on one filesystem, and by what lies above the folder."""
    by_path = {
        relative_to(other.path, one.path) or ""
        for one in here.places
        for other in present(folder)
        if one.device == other.device and is_inside(other.path, one.path)
    }
    is_above = any(one.is_same_inode(up) for one in here.places for up in folder.above)
    by_inode = {relative_to(folder.path, here.path) or ""} if is_above else set()
    return by_path | by_inode if present(folder) else set()


@given(locations(), st.lists(locations(), max_size=4))
def test_it_finds_the_folders_that_hold_a_directory(
    here: Location, folders: list[Location]
) -> None:
    index = PlaceIndex()
    for number, folder in enumerate(folders):
        index.add(str(number), folder)

    expected = {str(number) for number, one in enumerate(folders) if lies_in(here, one)}
    assert expected == index.holding(here)


@given(locations(), st.lists(locations(), max_size=4))
def test_it_finds_folders_below_a_directory(here: Location, folders: list[Location]) -> None:
    index = PlaceIndex()
    for number, folder in enumerate(folders):
        index.add(str(number), folder)

    expected = {(str(n), path) for n, one in enumerate(folders) for path in relatives(here, one)}
    assert expected == {*index.below(here)}
