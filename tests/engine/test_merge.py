"""Several declarations of one thing: what they agree on, and where they cannot."""

from __future__ import annotations

from typing import ClassVar, Literal

from hypothesis import given
from hypothesis import strategies as st

from reconcile.dataclass import dataclass
from reconcile.engine.merge import merge
from reconcile.engine.model import Declared, Position
from reconcile.engine.resource import Resource


@dataclass(frozen=True, kw_only=True)
class Thing(Resource):
    kind: Literal["thing"] = "thing"
    path: str = "/a"
    mode: int | None = None
    user: str | None = None
    needs: tuple[str, ...] = ()
    holds: frozenset[str] | None = None
    serves: dict[str, str] | None = None
    hidden: bool = False
    secret: str | None = None

    order: ClassVar[int] = 1
    removal_order: ClassVar[int] = 1
    metadata_fields: ClassVar[frozenset[str]] = frozenset({"path"})

    @property
    def name(self) -> str:
        return self.path

    def sensitive_fields(self) -> frozenset[str]:
        return frozenset({"secret"})


def declared(line: int, **fields: object) -> Declared:
    return Declared(Thing(**fields), (f"site{line}",), (Position("f", line),))  # type: ignore[arg-type]  # fields of any type


def merged(*fields: dict[str, object]) -> Resource:
    found, conflicts = merge(declared(line, **given) for line, given in enumerate(fields, 1))
    assert () == conflicts
    [item] = found.values()
    return item.resource


def test_different_things_stay_apart() -> None:
    found, _ = merge([declared(1, path="/a"), declared(2, path="/b")])

    assert ["/a", "/b"] == [ref.name for ref in found]


def test_what_one_leaves_unmanaged_the_other_decides() -> None:
    assert Thing(mode=1, user="a") == merged({"mode": 1}, {"user": "a"})


def test_lists_sets_and_mappings_unite() -> None:
    assert Thing(
        needs=("x", "y", "z"), holds=frozenset("ab"), serves={"a": "1", "b": "2"}
    ) == merged(
        {"needs": ("x", "y"), "holds": frozenset("a"), "serves": {"a": "1"}},
        {"needs": ("y", "z"), "holds": frozenset("b"), "serves": {"a": "1", "b": "2"}},
    )


def test_a_flag_is_on_where_one_wants_it_so() -> None:
    assert Thing(hidden=True, protected=True) == merged({"hidden": True}, {"protected": True})


def test_sites_and_places_of_all_are_kept() -> None:
    found, _ = merge([declared(1), declared(2), declared(1)])
    [item] = found.values()

    assert ("site1", "site2") == item.sites
    assert (Position("f", 1), Position("f", 2)) == item.positions


def test_two_values_for_one_field_are_a_conflict_that_names_both_places() -> None:
    found, conflicts = merge([declared(1, mode=1, user="a"), declared(2, mode=2)])
    [item], [conflict] = found.values(), conflicts

    assert Thing(mode=1, user="a") == item.resource
    assert ("thing:/a", "mode", ("1", "2")) == (str(conflict.ref), conflict.field, conflict.values)
    assert (Position("f", 1), Position("f", 2)) == conflict.positions


def test_a_mapping_with_two_values_for_one_key_is_a_conflict() -> None:
    _, conflicts = merge([declared(1, serves={"a": "1"}), declared(2, serves={"a": "2"})])

    assert ["serves"] == [conflict.field for conflict in conflicts]


def test_no_conflict_shows_a_secret() -> None:
    _, [conflict] = merge([declared(1, secret="one"), declared(2, secret="two")])

    assert ("(sensitive)", "(sensitive)") == conflict.values


FIELDS = st.fixed_dictionaries(
    {},
    optional={
        "mode": st.sampled_from([None, 1, 2]),
        "user": st.sampled_from([None, "a"]),
        "hidden": st.booleans(),
        "holds": st.frozensets(st.sampled_from("ab")),
    },
)


@given(FIELDS, FIELDS)
def test_the_order_of_declarations_matters_only_where_they_conflict(
    one: dict[str, object], other: dict[str, object]
) -> None:
    forth, conflicts = merge([declared(1, **one), declared(2, **other)])
    back, conflicts_back = merge([declared(2, **other), declared(1, **one)])

    assert len(conflicts) == len(conflicts_back)
    if not conflicts:
        assert [item.resource for item in forth.values()] == [
            item.resource for item in back.values()
        ]


@given(FIELDS)
def test_saying_a_thing_twice_is_saying_it_once(fields: dict[str, object]) -> None:
    once, _ = merge([declared(1, **fields)])
    twice, conflicts = merge([declared(1, **fields), declared(1, **fields)])

    assert () == conflicts
    assert once == twice
