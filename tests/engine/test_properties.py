"""What holds for every declaration, host and ledger."""

from __future__ import annotations

from copy import deepcopy

from hypothesis import given, settings
from hypothesis import strategies as st

from reconcile.engine.ledger import rows_after
from reconcile.engine.resource import Ref
from tests.support.world import (
    InWorld,
    Note,
    Shelf,
    World,
    a_world,
    carry_out,
    declare,
    last_wrote,
    planned,
)

NOTES = st.sampled_from(["/a", "/m/x", "/m/y", "/s/a", "/s/t/b"])
SHELVES = st.sampled_from(["/m", "/s", "/s/t"])
WORDS = st.sampled_from(["red", "blue"])
MAYBE = st.none() | WORDS

notes = st.builds(Note, path=NOTES, text=MAYBE, colour=MAYBE)
full_notes = st.builds(Note, path=NOTES, text=WORDS, colour=WORDS)
shelves = st.builds(Shelf, path=SHELVES, colour=WORDS, protected=st.booleans())


def sets_of(one: st.SearchStrategy[InWorld]) -> st.SearchStrategy[list[InWorld]]:
    return st.lists(one, max_size=6, unique_by=lambda item: item.path)


desired_sets = sets_of(notes | shelves)
host_sets = sets_of(full_notes | shelves)


def snapshot(world: World) -> dict[str, InWorld]:
    return deepcopy(world.things)  # type: ignore[return-value]  # all are InWorld here


@given(desired_sets, host_sets, host_sets)
def test_a_plan_is_a_function_of_its_inputs(
    asked: list[InWorld], there: list[InWorld], wrote: list[InWorld]
) -> None:
    def once(reverse: bool) -> object:
        items = asked[::-1] if reverse else asked
        rows = last_wrote(*(wrote[::-1] if reverse else wrote))
        return planned(a_world(*there), declare(*items), rows)

    first, second = once(False), once(True)
    assert (first.changes, first.fingerprint) == (second.changes, second.fingerprint)  # type: ignore[attr-defined]  # both are plans


@settings(max_examples=200)
@given(desired_sets, host_sets, host_sets)
def test_applied_once_nothing_is_left_to_do(
    asked: list[InWorld], there: list[InWorld], wrote: list[InWorld]
) -> None:
    world, desired, rows = a_world(*there), declare(*asked), last_wrote(*wrote)
    first = planned(world, desired, rows)

    carry_out(world, first.changes)
    observed = {change.ref: change.after for change in first.changes}
    second = planned(world, desired, dict(rows_after(rows, first, observed, "now")))

    assert () == second.changes


@given(desired_sets, host_sets, host_sets)
def test_no_deletion_ever_touches_what_is_protected(
    asked: list[InWorld], there: list[InWorld], wrote: list[InWorld]
) -> None:
    plan = planned(a_world(*there), declare(*asked), last_wrote(*wrote))

    roots = {item.path for item in (*asked, *wrote) if item.protected}
    deleted = {change.ref for change in plan.changes if change.action == "delete"}
    assert not {ref for ref in deleted if at_or_below(ref, roots)}


def at_or_below(ref: Ref, roots: set[str]) -> bool:
    return any(ref.name == root or ref.name.startswith(f"{root}/") for root in roots)
