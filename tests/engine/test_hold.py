"""Holds: who, why, until when; and that no apply starts meanwhile."""

from __future__ import annotations

import os
import stat
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reconcile.engine.host_hold import (
    NAME,
    Hold,
    exit_code_under,
    new_hold,
    read_hold,
    refuse_held,
    release_hold,
    write_hold,
)
from reconcile.errors import ExitCode, HoldInForce, ReconcileError
from reconcile.filesystem.state_dir import StateDir

NOW = datetime.now(UTC)


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(str(tmp_path / "state"))


def test_a_hold_refuses_applies_until_it_is_released(state: StateDir) -> None:
    write_hold(state, new_hold("ann", "migrating", None, NOW))

    with pytest.raises(HoldInForce, match=r"ann has held .* until it is released: migrating"):
        refuse_held(state)

    release_hold(state)
    refuse_held(state)


def test_an_expired_hold_counts_for_nothing(state: StateDir) -> None:
    soon = new_hold("ann", "migrating", NOW + timedelta(hours=1), NOW)
    write_hold(state, soon)
    assert soon == read_hold(state)

    write_hold(state, Hold("ann", "migrating", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00Z"))

    assert read_hold(state) is None
    refuse_held(state)


def test_only_root_can_read_a_hold(state: StateDir) -> None:
    write_hold(state, new_hold("ann", "migrating", None, NOW))

    assert 0o600 == stat.S_IMODE(os.stat(state.path_of(NAME)).st_mode)


@pytest.mark.parametrize("reason", ["", "  ", "two\nlines", "\x1b[31mred", "x" * 201])
def test_a_reason_is_one_printable_line(reason: str) -> None:
    with pytest.raises(ReconcileError, match="no usable reason"):
        new_hold("ann", reason, None, NOW)


def test_a_hold_cannot_end_before_it_begins() -> None:
    with pytest.raises(ReconcileError, match="before it begins"):
        new_hold("ann", "migrating", NOW - timedelta(seconds=1), NOW)


@pytest.mark.parametrize(
    "text", ["", "{}", "[]", '{"user": 1, "reason": 1, "since": 1, "until": 1}']
)
def test_a_damaged_hold_prevents_applies_and_can_be_released(state: StateDir, text: str) -> None:
    state.write(NAME, text.encode())

    with pytest.raises(ReconcileError, match="cannot be read"):
        refuse_held(state)

    release_hold(state)
    refuse_held(state)


@pytest.mark.parametrize(("code", "under"), [(0, 6), (2, 6), (3, 6), (1, 1)])
def test_a_hold_decides_the_exit_code_unless_something_could_not_be_read(
    code: int, under: int
) -> None:
    hold = new_hold("ann", "migrating", None, NOW)

    assert (under, code) == (exit_code_under(hold, code), exit_code_under(None, code))
    assert 6 == ExitCode.HELD
