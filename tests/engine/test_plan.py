"""From what should be, what is and what we own to the changes."""

from __future__ import annotations

import subprocess
import sys

import pytest

from reconcile.engine.diff import differences
from reconcile.engine.model import Cause, FieldChange, Finding, Unknown
from reconcile.engine.planner import make_plan as a_plan
from reconcile.engine.resource import Ref
from tests.support.world import Clock, Note, Shelf, a_world, addresses, declare, last_wrote, planned


def test_a_host_that_is_as_declared_needs_no_change() -> None:
    world = a_world(Note(path="/a", text="hello"))

    plan = planned(world, declare(Note(path="/a", text="hello")))

    assert () == plan.changes


def test_what_is_missing_is_created_with_every_field() -> None:
    plan = planned(a_world(), declare(Note(path="/a", text="hello", colour="red")))

    (change,) = plan.changes
    assert "create" == change.action
    assert (
        FieldChange("text", None, "hello"),
        FieldChange("colour", None, "red"),
    ) == change.fields


def test_only_the_fields_that_differ_are_listed() -> None:
    world = a_world(Note(path="/a", text="hello", colour="blue"))

    plan = planned(world, declare(Note(path="/a", text="hello", colour="red")))

    assert (FieldChange("colour", "blue", "red"),) == plan.changes[0].fields


def test_a_field_left_out_is_not_managed_and_stays_as_it_is() -> None:
    world = a_world(Note(path="/a", text="mine", colour="blue"))

    plan = planned(world, declare(Note(path="/a", colour="red")))

    assert Note(path="/a", text="mine", colour="red") == plan.changes[0].after


def test_of_a_mapping_only_the_keys_that_differ_are_shown() -> None:
    world = a_world(Note(path="/a", tags={"same": "1", "old": "2", "moved": "3"}))

    plan = planned(world, declare(Note(path="/a", tags={"same": "1", "moved": "4", "new": "5"})))

    before, after = {"old": "2", "moved": "3"}, {"moved": "4", "new": "5"}
    assert (FieldChange("tags", before, after),) == plan.changes[0].fields


def test_a_sensitive_value_is_never_in_a_field_change() -> None:
    world = a_world(Note(path="/a", text="old password", secret=True))

    plan = planned(world, declare(Note(path="/a", text="new password", secret=True)))

    expected = FieldChange("text", "(sensitive)", "(sensitive)", sensitive=True)
    assert (expected,) == plan.changes[0].fields


def test_a_failed_reading_is_unknown_and_never_planned_for() -> None:
    world = a_world()
    world.broken.add("/a")

    plan = planned(world, declare(Note(path="/a", text="x")))

    assert () == plan.changes
    assert (Unknown(Ref("note", "/a"), "/a cannot be read: I/O error"),) == plan.unknown
    assert 1 == plan.exit_code(detailed=True)


def test_what_was_not_observed_is_not_planned_for() -> None:
    asked, dropped = Note(path="/asked", text="x"), Note(path="/dropped", text="x")

    plan = a_plan(declare(asked), {}, last_wrote(dropped), host="web1", partial=True)

    assert ((), frozenset(), True) == (plan.changes, plan.released, plan.partial)


def test_notes_of_a_reading_are_shown_though_nothing_differs() -> None:
    class Odd(Note):
        def findings(self) -> tuple[Finding, ...]:
            return (Finding("odd", "note", f"{self.path} is odd"),)

    plan = planned(a_world(Odd(path="/a", text="x")), declare(Odd(path="/a", text="x")))

    assert ((), ["/a is odd"]) == (plan.changes, [finding.what for finding in plan.findings])


class TestCauses:
    LAST = Note(path="/a", text="v1", colour="red")

    @pytest.mark.parametrize(
        ("there", "asked", "cause"),
        [
            (Note(path="/a", text="v1", colour="blue"), LAST, "drift"),
            (LAST, Note(path="/a", text="v2", colour="red"), "pending"),
            (
                Note(path="/a", text="vX", colour="red"),
                Note(path="/a", text="v2", colour="red"),
                "both",
            ),
            (
                Note(path="/a", text="v1", colour="blue"),
                Note(path="/a", text="v2", colour="red"),
                "both",
            ),
        ],
        ids=["the host moved", "the YAML moved", "both moved", "each moved in another field"],
    )
    def test_the_ledger_decides_between_drift_and_pending(
        self, there: Note, asked: Note, cause: Cause
    ) -> None:
        plan = planned(a_world(there), declare(asked), last_wrote(self.LAST))

        assert cause == plan.changes[0].cause

    def test_each_field_has_its_own_cause(self) -> None:
        world = a_world(Note(path="/a", text="v1", colour="blue"))
        asked = Note(path="/a", text="v2", colour="red")

        plan = planned(world, declare(asked), last_wrote(self.LAST))

        assert {"text": "pending", "colour": "drift"} == {
            field.name: field.cause for field in plan.changes[0].fields
        }

    def test_what_someone_removed_is_drift(self) -> None:
        plan = planned(a_world(), declare(self.LAST), last_wrote(self.LAST))

        assert ("drift", "removed since the last apply") == (
            plan.changes[0].cause,
            plan.changes[0].reason,
        )

    def test_without_a_ledger_all_is_pending(self) -> None:
        plan = planned(a_world(Note(path="/a", text="other")), declare(Note(path="/a", text="x")))

        assert "pending" == plan.changes[0].cause


class TestRemoval:
    def test_what_we_own_and_nothing_declares_is_removed(self) -> None:
        note = Note(path="/old", text="x")

        plan = planned(a_world(note), {}, last_wrote(note))

        assert [("note:/old", "delete", "no longer declared")] == [
            (str(change.ref), change.action, change.reason) for change in plan.changes
        ]

    def test_what_we_do_not_own_is_left_alone(self) -> None:
        assert [] == addresses(planned(a_world(Note(path="/foreign", text="x")), {}))

    def test_what_is_gone_already_needs_no_change(self) -> None:
        plan = planned(a_world(), {}, last_wrote(Note(path="/old", text="x")))

        assert [] == addresses(plan)
        assert {Ref("note", "/old")} == plan.released

    def test_a_shelf_that_we_took_over_stays(self) -> None:
        shelf = Shelf(path="/s", colour="red")

        assert [] == addresses(planned(a_world(shelf), {}, last_wrote(shelf, created=False)))

    def test_a_shelf_that_we_made_goes_with_all_that_we_put_on_it(self) -> None:
        shelf, note = Shelf(path="/s", colour="red"), Note(path="/s/a", text="x")

        plan = planned(a_world(shelf, note), {}, last_wrote(shelf, note))

        assert ["note:/s/a", "shelf:/s"] == addresses(plan)

    def test_a_shelf_with_foreign_entries_stays_and_the_plan_shows_it(self) -> None:
        shelf, foreign = Shelf(path="/s", colour="red"), Note(path="/s/foreign", text="x")

        plan = planned(a_world(shelf, foreign), {}, last_wrote(shelf))

        assert [] == addresses(plan)
        assert ["shelf:/s is no longer declared but is kept: it still holds /s/foreign"] == [
            finding.what for finding in plan.findings
        ]

    def test_a_site_that_goes_as_a_whole_is_named(self) -> None:
        """Somebody with a YAML for each app would take the other ones down."""
        old, more, kept = (Note(path=path, text="x") for path in ("/old", "/more", "/kept"))

        plan = planned(
            a_world(old, more, kept), declare(kept, site="blog"), last_wrote(old, more, kept)
        )

        [finding] = plan.findings
        assert ("site-dropped", "warning") == (finding.rule, finding.severity)
        assert (
            "Site shop is no longer in the YAML: 2 resources of it will be destroyed."
            == finding.what
        )

    def test_a_site_that_only_shrinks_is_not_named(self) -> None:
        old, kept = Note(path="/old", text="x"), Note(path="/kept", text="x")

        plan = planned(a_world(old, kept), declare(kept), last_wrote(old, kept))

        assert () == plan.findings

    def test_a_partial_plan_reports_nothing_on_whole_sites(self) -> None:
        old = Note(path="/old", text="x")

        plan = planned(a_world(old), {}, last_wrote(old), partial=True)

        assert () == plan.findings

    def test_a_shelf_below_which_another_stays_stays_as_well(self) -> None:
        outer, inner = Shelf(path="/s", colour="red"), Shelf(path="/s/t", colour="red")
        foreign = Note(path="/s/t/foreign", text="x")

        plan = planned(a_world(outer, inner, foreign), {}, last_wrote(outer, inner))

        assert [] == addresses(plan)

    def test_a_kind_that_is_forgotten_is_released_without_a_change(self) -> None:
        clock = Clock(path="/c", hour=12)

        plan = planned(a_world(clock), {}, last_wrote(clock))

        assert ([], {clock.ref}) == (addresses(plan), plan.released)

    def test_an_heir_under_the_same_name_keeps_what_is_there(self) -> None:
        note = Note(path="/a", text="x")

        plan = planned(a_world(note), declare(Shelf(path="/a", colour="red")), last_wrote(note))

        assert ["shelf:/a"] == addresses(plan)

    def test_an_owned_resource_of_an_unregistered_kind_is_unknown(self) -> None:
        rows = {Ref("teapot", "/t"): next(iter(last_wrote(Note(path="/t")).values()))}

        plan = planned(a_world(), {}, rows)

        assert (Unknown(Ref("teapot", "/t"), "this version has no kind teapot"),) == (plan.unknown)


class TestProtection:
    MEDIA = Shelf(path="/media", colour="red", protected=True)

    def test_protected_data_is_never_removed_though_the_yaml_dropped_it(self) -> None:
        plan = planned(a_world(self.MEDIA), {}, last_wrote(self.MEDIA))

        assert ([], frozenset()) == (addresses(plan), plan.released)

    def test_nothing_below_protected_data_is_removed_even_if_owned(self) -> None:
        upload = Note(path="/media/cat.jpg", text="x")

        plan = planned(a_world(self.MEDIA, upload), {}, last_wrote(self.MEDIA, upload))

        assert [] == addresses(plan)

    def test_nothing_may_be_declared_that_writes_below_protected_data(self) -> None:
        note = Note(path="/media/cat.jpg", text="x")

        plan = planned(a_world(), declare(note), last_wrote(self.MEDIA))

        assert [note.ref] == [conflict.ref for conflict in plan.conflicts]

    def test_a_name_that_only_begins_alike_is_not_protected(self) -> None:
        note = Note(path="/media-old", text="x")

        plan = planned(a_world(note), {}, last_wrote(self.MEDIA, note))

        assert ["note:/media-old"] == addresses(plan)


@pytest.mark.process
def test_a_plan_with_nothing_to_do_does_not_import_deepdiff() -> None:
    script = """
import sys
from tests.support.world import Note, a_world, declare, planned
note = Note(path="/a", tags={"x": "1"})
assert not planned(a_world(note), declare(note)).changes
print("deepdiff" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert "False\n" == ran.stdout


@pytest.mark.parametrize(
    ("old", "shown"),
    [
        ({}, ({}, {"kept": "1", "new": "1"})),
        ({"kept": "1"}, ({}, {"new": "1"})),
        ({"gone": "2"}, ({"gone": "2"}, {"kept": "1", "new": "1"})),
    ],
    ids=["all new", "one new", "others"],
)
def test_of_two_mappings_every_key_that_differs_is_shown(
    old: dict[str, str], shown: tuple[dict[str, str], dict[str, str]]
) -> None:
    new = Note(path="/a", tags={"kept": "1", "new": "1"})

    [tags] = differences(Note(path="/a", tags=old), new)

    assert shown == (tags.before, tags.after)


def test_reasons_that_begin_alike_are_joined_into_one() -> None:
    class Loaded(Note):
        def why(self, change: FieldChange) -> str:
            return f"reload: {change.name} is old"

    world = a_world(Loaded(path="/a", text="old", colour="old"))

    [change] = planned(world, declare(Loaded(path="/a", text="new", colour="new"))).changes

    assert "reload: text is old; colour is old" == change.reason
