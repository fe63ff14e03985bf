"""Plans that are refused."""

from __future__ import annotations

import pytest

from reconcile.engine.model import Change, Plan
from reconcile.engine.safety_checks import (
    refuse_emptying,
    refuse_excess,
    refuse_excessive_share,
    refuse_unclear,
)
from reconcile.errors import ReconcileError
from reconcile.filesystem.sync.sync_diff import SyncDiff
from reconcile.resources.assets import Assets
from reconcile.resources.file import File
from tests.support.world import Note, Shelf, a_world, declare, last_wrote, planned

OLD = [Note(path="/1", text="x"), Note(path="/2", text="x")]


@pytest.mark.parametrize("allowed", [None, 2, 3])
def test_as_many_deletions_as_allowed_pass(allowed: int | None) -> None:
    refuse_excess(planned(a_world(*OLD), {}, last_wrote(*OLD)), max_deletes=allowed)


def test_one_deletion_too_many_is_refused() -> None:
    plan = planned(a_world(*OLD), {}, last_wrote(*OLD))

    with pytest.raises(ReconcileError, match="The plan deletes 2; the limit is 1"):
        refuse_excess(plan, max_deletes=1)


def pruning(removed: int, *, of: int) -> Plan:
    """A plan that removes files from a copy which stays."""
    diff = SyncDiff(extraneous=[f"f{number}.js" for number in range(removed)])
    before = Assets(path="/srv/static", diff=diff, total=of - removed)
    return Plan("web1", (Change(before.ref, before, Assets(path="/srv/static")),), "")


def test_files_inside_of_a_resource_count_as_deletions() -> None:
    plan = pruning(300, of=303)

    refuse_excess(plan, max_deletes=300)
    with pytest.raises(ReconcileError, match="The plan deletes 300; the limit is 299"):
        refuse_excess(plan, max_deletes=299)


def test_the_files_of_a_removed_copy_count_beside_it() -> None:
    before = Assets(path="/srv/static", total=12)
    plan = Plan("web1", (Change(before.ref, before, None),), "")

    with pytest.raises(ReconcileError, match="The plan deletes 13; the limit is 12"):
        refuse_excess(plan, max_deletes=12)


def test_a_file_that_is_removed_counts_once() -> None:
    file = File(path="/etc/app.env")

    refuse_excess(Plan("web1", (Change(file.ref, file, None),), ""), max_deletes=1)


def test_an_unattended_apply_may_remove_a_share_of_the_files_of_each_resource() -> None:
    refuse_excessive_share(pruning(5, of=10), owned=1, share=0.5)

    with pytest.raises(ReconcileError, match="removes 6 of 10 files of assets:/srv/static"):
        refuse_excessive_share(pruning(6, of=10), owned=1, share=0.5)


def test_a_yaml_that_declares_nothing_is_refused_while_we_own_something() -> None:
    with pytest.raises(ReconcileError, match="declares nothing"):
        refuse_emptying({}, last_wrote(*OLD), allow_empty=False)


@pytest.mark.parametrize(
    ("declared", "owned", "allow_empty"),
    [({}, {}, False), ({}, {"x": 1}, True), ({"x": 1}, {"x": 1}, False)],
    ids=["nothing owned", "allowed", "something declared"],
)
def test_nothing_else_counts_as_emptying(
    declared: dict[str, int], owned: dict[str, int], allow_empty: bool
) -> None:
    refuse_emptying(declared, owned, allow_empty=allow_empty)


def test_a_plan_with_a_failed_reading_is_not_applied() -> None:
    world = a_world()
    world.broken.add("/a")

    with pytest.raises(ReconcileError) as error:
        refuse_unclear(planned(world, declare(Note(path="/a", text="x"))))

    assert "note:/a: /a cannot be read: I/O error" == error.value.why


def test_a_plan_with_a_conflict_is_not_applied() -> None:
    media = Shelf(path="/m", protected=True)

    with pytest.raises(ReconcileError, match="conflicting declarations") as error:
        refuse_unclear(planned(a_world(), declare(media, Note(path="/m/x", text="x"))))

    assert "note:/m/x leads to users' data, written by this" in error.value.why
