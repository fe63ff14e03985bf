"""Overlapping directories are found without comparing each pair."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from reconcile.filesystem.place import Location, OverlapIndex, Place, is_one_in_the_other

PLACES = st.builds(
    Place,
    st.sampled_from(("ext4:1", "ext4:2")),
    st.sampled_from(("/a", "/a/b", "/c")),
    st.integers(0, 3),
    st.just(0),
)
LOCATIONS = st.builds(
    Location,
    st.just("/any"),
    st.lists(PLACES, min_size=1, max_size=2).map(tuple),
    st.lists(PLACES, max_size=3).map(tuple),
)


@given(st.dictionaries(st.sampled_from("abcd"), LOCATIONS), LOCATIONS)
def test_the_index_finds_exactly_what_comparing_each_pair_finds(
    known: dict[str, Location], one: Location
) -> None:
    found = OverlapIndex(known).overlapping(one)

    assert {name for name, other in known.items() if is_one_in_the_other(one, other)} == found
