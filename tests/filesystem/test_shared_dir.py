"""A directory that a group may read is written as safely as everything else."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.shared_dir import SharedDir


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_directory_is_0750_and_its_files_0640_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    SharedDir(str(tmp_path / "readings"), None).write("web1.json", b"{}")
    os.umask(before)

    assert 0o750 == mode(tmp_path / "readings")
    assert 0o640 == mode(tmp_path / "readings/web1.json")


def test_the_group_gets_the_directory_and_its_files(tmp_path: Path) -> None:
    gid = os.getgid()
    SharedDir(str(tmp_path / "readings"), gid).write("web1.json", b"{}")

    assert {gid} == {path.stat().st_gid for path in (tmp_path / "readings").glob("**/*")}
    assert gid == (tmp_path / "readings").stat().st_gid


def test_a_directory_that_was_opened_is_closed_again(tmp_path: Path) -> None:
    (tmp_path / "readings").mkdir(mode=0o700)
    (tmp_path / "readings").chmod(0o755)

    SharedDir(str(tmp_path / "readings"), None).make()

    assert 0o750 == mode(tmp_path / "readings")


def test_no_link_leads_a_reading_elsewhere(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "readings").symlink_to(tmp_path / "elsewhere")
    (tmp_path / "other").mkdir()
    (tmp_path / "target").write_text("untouched")
    (tmp_path / "other/web1.json").symlink_to(tmp_path / "target")

    with pytest.raises(HostError):
        SharedDir(str(tmp_path / "readings"), None).write("web1.json", b"{}")
    SharedDir(str(tmp_path / "other"), None).write("web1.json", b"{}")

    assert [] == list((tmp_path / "elsewhere").iterdir())
    assert "untouched" == (tmp_path / "target").read_text()
    assert "{}" == (tmp_path / "other/web1.json").read_text()


def test_a_directory_that_others_can_write_is_not_used(tmp_path: Path) -> None:
    (tmp_path / "readings").mkdir()
    (tmp_path / "readings").chmod(0o777)

    with pytest.raises(HostError, match="somebody else can write there"):
        SharedDir(str(tmp_path / "readings"), None).write("web1.json", b"{}")


def test_only_the_newest_files_are_kept(tmp_path: Path) -> None:
    shared = SharedDir(str(tmp_path / "readings"), None)
    for age, name in enumerate(("a.json", "b.json", "c.json", "note.txt")):
        shared.write(name, b"{}")
        os.utime(tmp_path / "readings" / name, (1000 - age, 1000 - age))

    shared.keep_newest(".json", 2)

    assert ["a.json", "b.json", "note.txt"] == sorted(os.listdir(tmp_path / "readings"))
