"""Who else can change a program that a unit runs as root."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from reconcile.errors import ReconcileError
from reconcile.system.commands import Commands
from reconcile.system.program_trust import open_parts, refuse_open_program


@pytest.fixture
def venv(tmp_path: Path) -> Path:
    """A folder like a virtual environment, which its owner alone can write."""
    folder = tmp_path / "venv"
    for path in ("bin/python3", "lib/site/reconcile/__main__.py", "pyvenv.cfg"):
        file = folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")
        file.chmod(0o644)
    for inside in (tmp_path, folder, *(one for one in folder.rglob("*") if one.is_dir())):
        inside.chmod(0o755)
    return folder


def found_in(folder: Path, path: Path) -> list[str]:
    """What is found below `folder`; what is above it is the machine's."""
    found = [one.path for one in open_parts(str(path), set())]
    return [one for one in found if Path(one).is_relative_to(folder)]


def test_what_its_owner_alone_can_write_is_closed(venv: Path) -> None:
    assert [] == found_in(venv.parent, venv)


@pytest.mark.parametrize(
    ("opened", "mode"),
    [
        (".", 0o775),
        ("bin", 0o757),
        ("bin/python3", 0o664),
        ("pyvenv.cfg", 0o646),
        ("lib/site", 0o1777),
        ("lib/site/reconcile/__main__.py", 0o666),
    ],
)
def test_each_file_and_each_directory_counts(venv: Path, opened: str, mode: int) -> None:
    (venv / opened).chmod(mode)

    assert [str(venv / opened)] == found_in(venv.parent, venv)


def test_a_directory_above_counts(venv: Path) -> None:
    venv.parent.chmod(0o777)

    assert [str(venv.parent)] == found_in(venv.parent, venv / "bin/python3")


def test_links_are_followed_through_every_directory(venv: Path, tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o777)
    (shared / "python3").symlink_to(venv / "bin/python3")
    (venv / "bin/python").symlink_to("../../shared/python3")
    (venv / "lib/site/plugin").symlink_to(shared)

    assert [str(shared)] == found_in(tmp_path, venv / "bin/python")
    assert {str(shared)} == set(found_in(tmp_path, venv / "lib"))


def test_what_a_linked_directory_holds_counts(venv: Path, tmp_path: Path) -> None:
    plugin = tmp_path / "plugins/one.py"
    plugin.parent.mkdir(mode=0o755)
    plugin.write_text("")
    plugin.chmod(0o666)
    (venv / "lib/site/plugins").symlink_to(plugin.parent)

    assert [str(plugin)] == found_in(tmp_path, venv)


def test_loops_of_links_end(venv: Path) -> None:
    (venv / "lib/again").symlink_to("..")
    (venv / "lib/self").symlink_to("self")

    assert [] == found_in(venv.parent, venv)


def test_a_file_of_another_user_counts_whatever_its_mode(
    venv: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    nobody = os.geteuid() + 1
    monkeypatch.setattr("reconcile.system.program_trust.trusted_users", lambda: {nobody})

    assert str(venv / "bin/python3") in found_in(venv.parent, venv)


def test_a_program_that_others_can_change_is_refused_with_the_fix(venv: Path) -> None:
    archive = venv / "reconcile.pyz"
    archive.write_text("")
    archive.chmod(0o666)

    with pytest.raises(ReconcileError) as refused:
        refuse_open_program(Commands(), (sys.executable, "-I", str(archive)))

    assert "can be changed by other users" in refused.value.what
    assert "Install reconcile where root alone can write" in refused.value.fix
