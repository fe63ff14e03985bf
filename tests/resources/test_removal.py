"""A removal takes only what still is what was written."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command import Run

pytestmark = pytest.mark.process

Edit = Callable[[Path], object]


def declare(folder: Path, paths: str) -> None:
    (folder / "reconcile.yaml").write_text(
        f"version: 1\nhost: {{state_dir: {folder}/state, service_manager: process}}\n"
        f"paths:\n  {folder}/stays: {{content: x}}\n{paths}"
    )


@pytest.fixture
def applied(run: Run, tmp_path: Path) -> Path:
    """A file and a link that were applied, and are no longer declared."""
    declare(
        tmp_path, f"  {tmp_path}/file: {{content: old}}\n  {tmp_path}/link: {{link: {tmp_path}}}\n"
    )
    done = run("apply", "--auto-approve")
    assert 0 == done.returncode, done.stdout + done.stderr
    declare(tmp_path, "")
    return tmp_path


def overwrite(path: Path) -> None:
    path.unlink()
    path.write_text("precious")


def relink(path: Path) -> None:
    path.unlink()
    path.symlink_to("/srv")


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "inside").write_text("precious")


def identity(path: Path) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_ino, found.st_ctime_ns


def test_what_is_as_written_is_removed(run: Run, applied: Path) -> None:
    done = run("apply", "--auto-approve")

    assert 0 == done.returncode
    assert not os.path.lexists(applied / "file")
    assert not os.path.lexists(applied / "link")


def test_a_link_in_another_spelling_is_as_written(run: Run, applied: Path) -> None:
    (applied / "link").unlink()
    (applied / "link").symlink_to(f"../{applied.name}")

    run("apply", "--auto-approve")

    assert not os.path.lexists(applied / "link")


CHANGES: dict[str, tuple[str, Edit]] = {
    "other content": ("file", lambda path: path.write_text("precious")),
    "another file": ("file", overwrite),
    "a longer one than is read": ("file", lambda path: os.truncate(path, 20 << 20)),
    "a link elsewhere": ("link", relink),
}


@pytest.mark.parametrize(("name", "edit"), CHANGES.values(), ids=CHANGES)
def test_what_has_changed_since_is_kept_and_reported(
    run: Run, applied: Path, name: str, edit: Edit
) -> None:
    edit(applied / name)
    before = identity(applied / name)

    planned, done, again = run("plan"), run("apply", "--auto-approve"), run("plan")

    kept = f":{applied}/{name} is no longer declared but is kept: it has changed since it was"
    assert kept in planned.stdout
    assert kept in done.stdout
    assert 0 == done.returncode
    assert before == identity(applied / name)
    assert "No changes." in again.stdout
    assert "is no longer declared" not in again.stdout


@pytest.mark.parametrize("name", ["file", "link"])
def test_what_is_of_another_kind_by_now_is_kept(run: Run, applied: Path, name: str) -> None:
    make_folder(applied / name)

    done = run("apply", "--auto-approve")

    assert 0 == done.returncode, done.stderr
    assert "precious" == (applied / name / "inside").read_text()
