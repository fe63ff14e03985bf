"""What we own, as a file."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconcile.engine.ledger import Ledger, LedgerRow, LedgerUnusable, decode, encode, rows_after
from reconcile.engine.resource import Ref, Resource
from reconcile.filesystem.place import Place
from tests.support.world import Note, Shelf, a_world, declare, last_wrote, planned

LEDGER = Ledger(
    {
        Ref("note", "/a"): LedgerRow(
            ("shop",), True, False, {"text": "sha256:1"}, "2026-01-01T00:00:00Z"
        )
    },
    serial=7,
    head="sha256:2",
)
NOW = "2026-11-22T08:00:00Z"


def test_a_ledger_is_read_back_as_it_was_written() -> None:
    assert LEDGER == decode(encode(LEDGER))


def test_places_are_read_back_and_left_out_where_there_are_none() -> None:
    place = Place("ext4:1f", "/srv/caf\udce9", 7, 9)
    protected = Ledger({Ref("tree", "/m"): LedgerRow(protected=True, places=(place,))})

    assert protected == decode(encode(protected))
    assert b"places" not in encode(LEDGER)


def test_names_of_any_bytes_survive() -> None:
    odd = Ledger({Ref("note", "/caf\udce9\n\x1b[0m"): LedgerRow()})

    assert odd == decode(encode(odd))


@given(st.integers(0, len(encode(LEDGER)) - 1), st.integers(1, 255))
def test_a_ledger_with_any_byte_changed_is_refused(at: int, by: int) -> None:
    data = bytearray(encode(LEDGER))
    data[at] ^= by

    with pytest.raises(LedgerUnusable):
        decode(bytes(data))


@given(st.integers(0, len(encode(LEDGER)) - 1))
def test_a_ledger_cut_short_is_refused(length: int) -> None:
    with pytest.raises(LedgerUnusable):
        decode(encode(LEDGER)[:length])


@given(st.binary(max_size=200))
def test_garbage_is_refused_without_a_traceback(data: bytes) -> None:
    with pytest.raises(LedgerUnusable):
        decode(data)


def test_a_ledger_from_the_future_names_the_cause() -> None:
    with pytest.raises(LedgerUnusable) as error:
        decode(b'{"format":2}')

    assert "It was written by a later version of reconcile." == error.value.why


def test_a_secret_is_in_the_ledger_only_as_a_digest() -> None:
    secret = Note(path="/a", text="hunter2", secret=True)
    plan = planned(a_world(), declare(secret))

    rows = rows_after({}, plan, {secret.ref: secret}, NOW)

    assert b"hunter2" not in encode(Ledger(rows))


class TestRowsAfter:
    NOTE = Note(path="/a", text="x")

    def test_what_was_created_is_owned(self) -> None:
        plan = planned(a_world(), declare(self.NOTE))

        rows = rows_after({}, plan, {self.NOTE.ref: self.NOTE}, NOW)

        assert LedgerRow(("shop",), True, False, self.NOTE.digests(), NOW) == rows[self.NOTE.ref]

    def test_what_was_there_already_is_taken_over(self) -> None:
        plan = planned(a_world(self.NOTE), declare(self.NOTE))

        assert not rows_after({}, plan, {}, NOW)[self.NOTE.ref].created

    def test_a_field_that_is_not_managed_is_not_remembered(self) -> None:
        world = a_world(Note(path="/a", text="x", colour="red"))
        plan = planned(world, declare(self.NOTE))

        assert {"text"} == rows_after({}, plan, {}, NOW)[self.NOTE.ref].digests.keys()

    def test_a_change_that_was_not_made_leaves_no_row(self) -> None:
        assert {} == rows_after({}, planned(a_world(), declare(self.NOTE)), {}, NOW)

    def test_what_was_made_by_us_stays_so_however_often_it_is_written(self) -> None:
        changed = Note(path="/a", text="y")
        rows = last_wrote(self.NOTE)
        plan = planned(a_world(self.NOTE), declare(changed), rows)

        after = rows_after(rows, plan, {changed.ref: changed}, NOW)[changed.ref]

        assert (True, "2026-01-01T00:00:00Z") == (after.created, after.since)

    def test_what_was_removed_is_no_longer_owned(self) -> None:
        rows = last_wrote(self.NOTE)
        plan = planned(a_world(self.NOTE), {}, rows)

        assert {} == rows_after(rows, plan, {self.NOTE.ref: None}, NOW)

    def test_a_removal_that_did_not_happen_stays_owned(self) -> None:
        rows = last_wrote(self.NOTE)
        plan = planned(a_world(self.NOTE), {}, rows)

        assert rows == rows_after(rows, plan, {}, NOW)

    def test_what_could_not_be_read_stays_owned(self) -> None:
        rows = last_wrote(self.NOTE)
        world = a_world(self.NOTE)
        world.broken.add("/a")

        assert rows == rows_after(rows, planned(world, {}, rows), {}, NOW)

    @pytest.mark.parametrize("desired", [(), (Shelf(path="/m", colour="red"),)])
    def test_what_was_protected_once_stays_protected(self, desired: tuple[Resource, ...]) -> None:
        media = Shelf(path="/m", colour="red", protected=True)
        rows = last_wrote(media)
        plan = planned(a_world(media), declare(*desired), rows)

        assert rows_after(rows, plan, {}, NOW)[media.ref].protected
