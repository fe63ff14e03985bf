"""An apply does the copy that was planned, file by file, or it ends."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from reconcile.engine.model import Change, Plan
from reconcile.filesystem.host_error import ChangedSincePlan
from reconcile.filesystem.sync import files_to_write
from reconcile.resources.assets import Assets
from reconcile.resources.directory import Directory
from reconcile.system import Host
from tests.support.disk import picture
from tests.support.machine import Machine, machine, memory
from tests.support.recorder import MemoryRecorder

__all__ = ["machine", "memory"]

pytestmark = pytest.mark.process

Move = Callable[[Path], object]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    source = tmp_path / "source"
    (source / "css").mkdir(parents=True)
    (source / "css/a.css").write_text("old css")
    (source / "b.js").write_text("old js")
    (source / "gone.js").write_text("to go")
    return source


@pytest.fixture
def assets(source: Path, root: Path, host: Host) -> Assets:
    """Copied once; by now the source differs in every way."""
    assets = Assets(path=str(root), source=str(source), user="root", group="root", prune=True)
    assets.apply(host, assets.observe(host))
    (source / "css/a.css").write_text("new css")
    (source / "c.js").write_text("created")
    (source / "more").mkdir()
    (source / "more/d.js").write_text("created")
    (source / "gone.js").unlink()
    return assets


def edit_keeping_size_and_time(path: Path) -> None:
    then = path.stat().st_mtime_ns
    path.write_bytes(b"x" * path.stat().st_size)
    os.utime(path, ns=(then, then))


def replace(path: Path) -> None:
    path.with_name("theirs").write_bytes(path.read_bytes())
    path.with_name("theirs").rename(path)


def turn_into_a_symlink(path: Path) -> None:
    path.unlink()
    path.symlink_to("/etc/hostname")


def rename_its_folder(path: Path) -> None:
    path.parent.rename(path.parent.with_name("elsewhere"))


def swap_its_folder(path: Path) -> None:
    rename_its_folder(path)
    path.parent.mkdir()
    path.write_bytes(b"a build begins anew")


MOVES: dict[str, Move] = {
    "edited, of the same size and time": edit_keeping_size_and_time,
    "replaced": replace,
    "removed": Path.unlink,
    "now a symlink": turn_into_a_symlink,
    "in a renamed folder": rename_its_folder,
    "in another folder": swap_its_folder,
}


@pytest.mark.parametrize("move", MOVES.values(), ids=MOVES.keys())
def test_a_source_file_that_moved_ends_the_copy(
    assets: Assets,
    host: Host,
    recorder: MemoryRecorder,
    source: Path,
    root: Path,
    move: Move,
) -> None:
    planned = assets.observe(host)
    before = picture(root)
    move(source / "css/a.css")

    with pytest.raises(ChangedSincePlan):
        assets.apply(host, planned)

    assert [] == recorder.take_back(host)
    assert before == picture(root)


@pytest.mark.parametrize("move", list(MOVES.values())[:4], ids=list(MOVES)[:4])
@pytest.mark.parametrize("name", ["css/a.css", "gone.js"], ids=["to replace", "to remove"])
def test_a_copy_that_moved_ends_the_copy(
    assets: Assets, host: Host, recorder: MemoryRecorder, root: Path, name: str, move: Move
) -> None:
    planned = assets.observe(host)
    move(root / name)
    moved = picture(root)

    with pytest.raises(ChangedSincePlan, match=name):
        assets.apply(host, planned)

    assert [] == recorder.take_back(host)
    assert moved == picture(root)


@pytest.mark.parametrize("name", ["c.js", "more"])
def test_what_appeared_where_something_new_was_planned_stays(
    assets: Assets, host: Host, recorder: MemoryRecorder, root: Path, name: str
) -> None:
    planned = assets.observe(host)
    (root / name).symlink_to("/etc")

    with pytest.raises(ChangedSincePlan, match="it did not exist then"):
        assets.apply(host, planned)

    assert [] == recorder.take_back(host)
    assert "/etc" == os.readlink(root / name)


def test_a_source_that_was_emptied_removes_nothing_more(
    assets: Assets, host: Host, recorder: MemoryRecorder, source: Path, root: Path
) -> None:
    planned = assets.observe(host)
    before = picture(root)
    source.rename(source.with_name("old"))
    source.mkdir()

    with pytest.raises(ChangedSincePlan):
        assets.apply(host, planned)

    assert [] == recorder.take_back(host)
    assert before == picture(root)


def test_a_file_that_only_now_vanished_from_the_source_is_not_removed(
    assets: Assets, host: Host, source: Path, root: Path
) -> None:
    planned = assets.observe(host)
    (source / "b.js").unlink()

    assets.apply(host, planned)

    assert "old js" == (root / "b.js").read_text()
    with pytest.raises(ChangedSincePlan, match=r"b\.js: not in the source"):
        assets.refresh(host, planned)


def test_a_file_that_only_now_appeared_in_the_source_is_not_published(
    assets: Assets, host: Host, source: Path, root: Path
) -> None:
    planned = assets.observe(host)
    (source / "later.js").write_text("later")

    assets.apply(host, planned)

    assert not (root / "later.js").exists()


def test_an_apply_compares_nothing_again(
    assets: Assets, host: Host, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned = assets.observe(host)
    monkeypatch.setattr(type(host.files), "diff", None)

    assets.apply(host, planned)

    assert "new css" == (root / "css/a.css").read_text()


def test_a_folder_to_remove_that_got_a_file_ends_the_copy(
    assets: Assets, host: Host, recorder: MemoryRecorder, source: Path, root: Path
) -> None:
    (source / "css/a.css").unlink()
    (source / "css").rmdir()
    planned = assets.observe(host)
    (root / "css/theirs").write_text("theirs")

    with pytest.raises(ChangedSincePlan, match="it is not empty any more"):
        assets.apply(host, planned)

    assert [] == recorder.take_back(host)
    assert {"a.css", "theirs"} == set(os.listdir(root / "css"))


def test_an_owner_that_changed_again_ends_the_copy(
    assets: Assets, host: Host, recorder: MemoryRecorder, root: Path
) -> None:
    (root / "b.js").chmod(0o600)
    planned = assets.observe(host)
    (root / "b.js").chmod(0o666)

    with pytest.raises(ChangedSincePlan, match=r"b\.js"):
        assets.apply(host, planned)

    assert [] == recorder.take_back(host)
    assert 0o666 == (root / "b.js").stat().st_mode & 0o777


def test_contents_that_were_approved_are_published_by_their_digest(
    assets: Assets, host: Host, source: Path, root: Path
) -> None:
    observed = assets.observe(host)
    assert observed is not None
    planned = observed.bound(host)

    edit_keeping_size_and_time(source / "css/a.css")
    again = assets.observe(host)

    assert again is not None
    assert planned.effects_digest() != again.bound(host).effects_digest()
    assert observed.digests() == again.digests()


def test_approved_contents_may_lie_in_another_checkout(
    assets: Assets, host: Host, source: Path
) -> None:
    observed = assets.observe(host)
    assert observed is not None
    approved = observed.bound(host)
    replace(source / "css/a.css")
    again = assets.observe(host)
    assert again is not None

    assert observed.effects_digest() != again.effects_digest()
    assert approved.effects_digest() == again.bound(host).effects_digest()


def test_a_new_copy_holds_what_was_planned(host: Host, source: Path, root: Path) -> None:
    root.rmdir()
    assets = Assets(path=str(root), source=str(source)).planned(host)
    root.mkdir()
    (source / "later.js").write_text("later")

    assets.apply(host, None)

    assert {"css", "b.js", "gone.js"} == set(os.listdir(root))


def test_the_apply_is_rolled_back_and_ends_with_5(
    machine: Machine, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    static = machine.path("static")
    wanted = Directory(path=static), Assets(path=static, source=str(source), prune=True)
    machine.apply(*wanted)
    (source / "b.js").write_text("new js")
    load = files_to_write._load

    def loaded(*args: object) -> object:
        for file in source.rglob("*.*"):
            file.unlink()
        return load(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(files_to_write, "_load", loaded)

    report = machine.apply(*wanted)

    assert ("rolled_back", 5) == (report.result, report.exit_code(detailed=False))
    assert "old js" == Path(static, "b.js").read_text()
    assert {"css", "b.js", "gone.js"} == set(os.listdir(static))


def test_every_file_that_goes_is_counted(
    host: Host, source: Path, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reconcile.resources.assets.MOST_KEPT", 1)
    assets = Assets(path=str(root), source=str(source), prune=True)
    for number in range(5):
        (root / f"{number}.js").write_text("x")

    before = assets.observe(host)

    assert 5 == Plan("web1", (Change(assets.ref, before, assets),), "").deletions


def test_a_folder_is_removed_though_undo_needs_its_files_on_that_filesystem(
    machine: Machine, memory: Path, source: Path
) -> None:
    machine.state = str(memory / "state")
    static = machine.path("static")
    wanted = Directory(path=static), Assets(path=static, source=str(source), prune=True)
    machine.apply(*wanted)
    before = machine.manifest()
    (source / "css/a.css").unlink()
    (source / "css").rmdir()

    report = machine.apply(*wanted)

    assert "applied" == report.result, report.why
    assert not Path(static, "css").exists()
    assert not machine.plan(*wanted).changes
    machine.take_back()
    assert before == machine.manifest()
