"""How long an apply waits to be confirmed, by which clock."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconcile.engine.confirmation import (
    NAME,
    pending_from,
    read_pending,
    refuse_unconfirmed,
    remove_pending,
    write_pending,
)
from reconcile.engine.history import Actor, HistoryEntry, HistoryRow, write
from reconcile.errors import HoldInForce, ReconcileError
from reconcile.filesystem.state_dir import StateDir
from reconcile.system.clock import ClockReading

NOW = ClockReading(datetime(2026, 11, 22, 8, tzinfo=UTC), "boot-1", 1000.0)
PENDING = pending_from(7, "ann", "reconcile apply", 300, {"state_dir": "/x"}, NOW)


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(str(tmp_path / "state"))


def later(seconds: float, *, wall_s: float | None = None, boot: str = "boot-1") -> ClockReading:
    wall = timedelta(seconds=seconds if wall_s is None else wall_s)
    return ClockReading(NOW.wall + wall, boot, NOW.since_boot_s + seconds)


def test_it_is_the_same_once_it_is_read_again(state: StateDir) -> None:
    write_pending(state, PENDING)

    assert PENDING == read_pending(state)
    assert "2026-11-22T08:05:00Z" == PENDING.deadline


@pytest.mark.parametrize(
    ("now", "left_s"),
    [
        (later(0), 300),
        (later(299), 1),
        (later(300), 0),
        (later(10_000), 0),
        # The wall's clock was set, and the machine was not booted since.
        (later(10, wall_s=10_000), 290),
        (later(10, wall_s=-10_000), 290),
        (later(300, wall_s=-10_000), 0),
        # After a reboot only the wall's clock is left.
        (later(-900, wall_s=60, boot="boot-2"), 240),
        (later(-900, wall_s=10_000, boot="boot-2"), 0),
        # A machine without a battery boots in the past: rather too early than never.
        (later(-900, wall_s=-10_000, boot="boot-2"), 0),
    ],
)
def test_the_monotonic_clock_decides_within_a_boot(now: ClockReading, left_s: float) -> None:
    assert left_s == PENDING.remaining_s(now)


def test_all_of_the_time_is_left_once_the_apply_is_done() -> None:
    assert 300 == PENDING.restarted(later(1000)).remaining_s(later(1000))


def test_another_apply_is_refused_until_it_is_confirmed(state: StateDir) -> None:
    entry = HistoryEntry("2026-11-22T08:00:00Z", Actor("ann"), "applied", (("a:b", "create", ""),))
    write(state, HistoryRow(7, "", entry))
    write_pending(state, PENDING)

    with pytest.raises(HoldInForce, match=r"Apply #7 by ann .* rolled back at 2026-11-22T08:05"):
        refuse_unconfirmed(state)

    remove_pending(state)
    refuse_unconfirmed(state)


def test_an_apply_that_never_ended_refuses_no_other(state: StateDir) -> None:
    write_pending(state, PENDING)

    refuse_unconfirmed(state)


def test_a_damaged_record_is_an_error_and_not_ignored(state: StateDir) -> None:
    state.write(NAME, b"{}")

    with pytest.raises(ReconcileError, match="is unknown"):
        read_pending(state)


def test_the_hosts_settings_are_part_of_it() -> None:
    assert {"state_dir": "/x"} == replace(PENDING, number=8).host
