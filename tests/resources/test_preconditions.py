"""An effect starts from what its plan observed, or the apply ends."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reconcile.engine.resource import Resource
from reconcile.filesystem.host_error import ChangedSincePlan
from reconcile.resources.file import File
from reconcile.resources.symlink import Symlink
from reconcile.resources.unit import Unit
from reconcile.system import Host
from tests.support.completed import completed
from tests.support.machine import Machine, machine
from tests.support.recorder import MemoryRecorder

__all__ = ["machine"]

pytestmark = pytest.mark.process

Move = Callable[[Path], object]
OLD, BAD = b"[Unit]\n", b"[Evil]\n"


def edit_keeping_size_and_time(path: Path) -> None:
    then = path.stat().st_mtime_ns
    path.write_bytes(BAD)
    os.utime(path, ns=(then, then))


def replace(path: Path) -> None:
    path.with_name("theirs").write_bytes(BAD)
    path.with_name("theirs").rename(path)


def turn_into_a_symlink(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def turn_into_a_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


MOVES: dict[str, Move] = {
    "edited, of the same size and time": edit_keeping_size_and_time,
    "replaced": replace,
    "removed": Path.unlink,
    "now a symlink": turn_into_a_symlink,
    "now a directory": turn_into_a_directory,
}


def remains(path: Path) -> object:
    """What is at `path`, to compare."""
    if path.is_symlink():
        return os.readlink(path)
    return path.is_dir() or (path.exists() and path.read_bytes())


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES.keys())
@pytest.mark.parametrize("kind", [File, Unit])
def test_a_file_that_moved_after_its_plan_is_not_replaced(
    host: Host, recorder: MemoryRecorder, site: Path, kind: type[Resource], move: Move
) -> None:
    path = site / "shop.service"
    path.write_bytes(OLD)
    content = b"new" if kind is File else "new"
    wanted: Resource = kind(path=str(path), content=content)
    before = wanted.observe(host)
    move(path)
    moved = remains(path)

    with pytest.raises(ChangedSincePlan):
        completed(wanted, before, host).apply(host, before)

    assert [] == recorder.take_back(host)
    assert moved == remains(path)


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES.keys())
@pytest.mark.parametrize("kind", [File, Unit])
def test_a_file_that_moved_after_its_plan_is_not_removed(
    host: Host, recorder: MemoryRecorder, site: Path, kind: type[Resource], move: Move
) -> None:
    path = site / "shop.service"
    path.write_bytes(OLD)
    before = kind.from_name(str(path)).observe(host)
    assert before is not None
    move(path)
    moved = remains(path)

    with pytest.raises(ChangedSincePlan):
        before.delete(host)

    assert [] == recorder.take_back(host)
    assert moved == remains(path)


def test_what_appeared_where_a_file_was_planned_stays(
    host: Host, recorder: MemoryRecorder, site: Path
) -> None:
    path = site / "shop.conf"
    wanted = File(path=str(path), content=b"new")
    path.write_bytes(b"theirs")

    with pytest.raises(ChangedSincePlan, match=r"shop\.conf changed after it was planned"):
        completed(wanted, None, host).apply(host, None)

    assert [] == recorder.take_back(host)
    assert b"theirs" == path.read_bytes()


@pytest.mark.parametrize("move", [replace, Path.unlink], ids=["now a file", "removed"])
def test_a_link_that_moved_after_its_plan_is_neither_turned_nor_removed(
    host: Host, recorder: MemoryRecorder, site: Path, move: Move
) -> None:
    path = site / "current"
    path.symlink_to("releases/1")
    wanted = Symlink(path=str(path), target="releases/2")
    before = wanted.observe(host)
    assert before is not None
    move(path)

    with pytest.raises(ChangedSincePlan):
        wanted.apply(host, before)
    with pytest.raises(ChangedSincePlan):
        before.delete(host)


def test_a_link_that_was_turned_elsewhere_stays(host: Host, site: Path) -> None:
    path = site / "current"
    path.symlink_to("releases/1")
    wanted = Symlink(path=str(path), target="releases/2")
    before = wanted.observe(host)
    path.unlink()
    path.symlink_to("releases/3")

    with pytest.raises(ChangedSincePlan):
        wanted.apply(host, before)

    assert "releases/3" == os.readlink(path)


def test_a_mode_that_changed_after_the_plan_is_not_overwritten(host: Host, site: Path) -> None:
    path = site / "shop.conf"
    path.write_bytes(b"x")
    path.chmod(0o600)
    wanted = File(path=str(path), content=b"x", mode=0o644)
    before = wanted.observe(host)
    path.chmod(0o400)

    with pytest.raises(ChangedSincePlan):
        completed(wanted, before, host).apply(host, before)

    assert 0o400 == path.stat().st_mode & 0o777


def test_the_apply_is_rolled_back_and_ends_with_5(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = machine.path("a.conf"), machine.path("b.conf")
    machine.apply(File(path=first, content=b"old"), File(path=second, content=b"old"))
    apply = File.apply

    def applied(self: File, host: Host, before: File | None) -> None:
        if self.path == second:
            replace(Path(second))
        apply(self, host, before)

    monkeypatch.setattr(File, "apply", applied)

    report = machine.apply(File(path=first, content=b"new"), File(path=second, content=b"new"))

    assert ("rolled_back", 5) == (report.result, report.exit_code(detailed=False))
    assert (b"old", BAD) == (Path(first).read_bytes(), Path(second).read_bytes())
    assert f"{second} changed after it was planned" == report.error
