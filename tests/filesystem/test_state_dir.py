"""The state directory is ours alone, and what is written there is durable and whole."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.state_dir import StateDir

pytestmark = pytest.mark.process


@pytest.fixture
def state(tmp_path: Path) -> StateDir:
    return StateDir(str(tmp_path / "var/state"))


def test_reading_creates_nothing(state: StateDir, tmp_path: Path) -> None:
    assert None is state.read("ledger")
    assert [] == state.list_names("journal")
    assert not state.exists("journal")
    state.remove("journal")

    assert [] == list(tmp_path.iterdir())


def test_what_was_written_is_read_and_belongs_to_us_alone(state: StateDir) -> None:
    old = os.umask(0)
    try:
        state.write("journal/7/plan", b"text")
    finally:
        os.umask(old)

    assert b"text" == state.read("journal/7/plan")
    assert ["plan"] == state.list_names("journal/7")
    assert 0o600 == stat.S_IMODE(Path(state.path_of("journal/7/plan")).stat().st_mode)
    for folder in ("", "journal", "journal/7"):
        assert 0o700 == stat.S_IMODE(Path(state.path_of(folder)).stat().st_mode)


def test_a_log_grows_over_several_openings(state: StateDir) -> None:
    for text in (b"one\n", b"two\n"):
        log = state.log("journal/log")
        log.append(text)
        log.close()

    assert b"one\ntwo\n" == state.read("journal/log")


def test_a_folder_is_removed_with_all_that_is_in_it(state: StateDir) -> None:
    state.write("journal/7/keep/a", b"")
    state.write("journal/8", b"")

    state.remove("journal/7")

    assert ["8"] == state.list_names("journal")


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_state_directory_that_others_may_write_is_refused(state: StateDir, mode: int) -> None:
    state.write("ledger", b"{}")
    Path(state.path).chmod(mode)

    with pytest.raises(HostError, match="somebody else can write there"):
        state.read("ledger")
    with pytest.raises(HostError, match="somebody else can write there"):
        state.write("ledger", b"{}")


def test_a_state_directory_of_another_user_is_refused(state: StateDir) -> None:
    state.make_directory()
    os.chown(state.path, 33, 33)

    with pytest.raises(HostError, match="somebody else can write there"):
        state.write("ledger", b"{}")


def test_a_symlink_in_the_place_of_a_file_is_not_followed(state: StateDir, tmp_path: Path) -> None:
    state.make_directory()
    (tmp_path / "victim").write_text("kept")
    Path(state.path_of("log")).symlink_to(tmp_path / "victim")

    with pytest.raises(HostError):
        state.log("log")
    assert "kept" == (tmp_path / "victim").read_text()
