"""When the power fails, the disk holds the old or the new, and the ledger never more than that."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconcile.engine import history
from reconcile.engine.apply_report import Report
from reconcile.engine.ledger_store import read_ledger
from reconcile.engine.resource import Ref
from reconcile.filesystem.release.folder import fill, is_complete, seal
from reconcile.filesystem.release.listing import list_source
from reconcile.resources.file import File
from tests.faults.power import Disk, cut_at, own_mounts
from tests.faults.test_crash import refuse_remains, timeless
from tests.support.machine import Machine, in_box
from tests.support.tally import TALLY

pytestmark = pytest.mark.process

FEW, MANY = 4, 60
RELEASE_FILES, RELEASED = ("app.py", "pkg/mod.py", "style.css"), b"of the release\n" * 500


@pytest.fixture(params=["auto_da_alloc", "noauto_da_alloc"])
def disk(request: pytest.FixtureRequest, memory: Path) -> Iterator[Disk]:
    # Without auto_da_alloc ext4 does not flush a file because it was renamed over another.
    with own_mounts():
        disk = Disk(memory, request.param)
        yield disk
        disk.remove()


def site(machine: Machine, text: bytes) -> tuple[File, ...]:
    return tuple(
        File(path=machine.path(name), content=text * 500, mode=0o644) for name in ("a", "b", "c")
    )


def apply_new(machine: Machine) -> Report:
    return machine.apply(*site(machine, b"new\n"), File(path=machine.path("d"), content=b"d"))


def refuse_ahead_of_the_disk(machine: Machine) -> None:
    """All that the ledger owns is there, and so is every row of the history that it knows."""
    state = machine.host.state
    ledger = read_ledger(state)
    owned = {ref for ref in ledger.rows if ref.kind == "file"}
    there = {Ref("file", machine.path(name)) for name in timeless(machine.manifest())}
    assert owned <= there
    assert ledger.serial <= len([*history.rows(state)])


def effects_of(disk: Disk, machine: Machine) -> int:
    """How many moments there are to cut at, found by halves: a thousand at most."""
    low, high = 0, 1_000
    while low < high:
        middle = (low + high) // 2
        reset(disk, machine)
        if cut_at(middle, disk, lambda: apply_new(machine)):
            low = middle + 1
            disk.restart()
        else:
            high = middle
    return low


def reset(disk: Disk, machine: Machine) -> None:
    """The old, applied and durable."""
    shutil.rmtree(Path(machine.root).parent)
    Path(machine.root).mkdir(parents=True)
    machine.apply(*site(machine, b"old\n"))
    disk.restart()


@pytest.mark.parametrize("cuts", [FEW, pytest.param(MANY, marks=pytest.mark.nightly)])
def test_after_a_power_cut_every_file_is_old_or_new_and_a_rerun_converges(
    disk: Disk, cuts: int
) -> None:
    machine = in_box(disk.mount_point / "box")
    effects = effects_of(disk, machine)
    assert effects > 50
    texts = (b"old\n" * 500, b"new\n" * 500)

    for cut in range(cuts):
        number = cut * (effects - 1) // (cuts - 1)
        reset(disk, machine)
        assert cut_at(number, disk, lambda: apply_new(machine)), f"no cut at {number}"
        TALLY["power cuts"] += 1
        disk.restart()

        where = f"power cut before effect {number} of {effects}"
        assert {Path(machine.path(name)).read_bytes() in texts for name in "abc"} == {True}, where
        refuse_ahead_of_the_disk(machine)
        apply_new(machine)
        assert texts[1] == Path(machine.path("a")).read_bytes(), where
        refuse_remains(machine)
    disk.check()


def make_release(folder: Path) -> None:
    """A release of three files, and a fourth that a step has made."""
    listing = list_source(str(folder / "source"))
    fill(str(folder / "release"), listing, 0, 0)
    (folder / "release/made").write_bytes(RELEASED)
    seal(str(folder / "release"), 0, 0)


@pytest.mark.parametrize("every", [13, pytest.param(1, marks=pytest.mark.nightly)])
def test_after_a_power_cut_a_release_is_whole_or_incomplete(disk: Disk, every: int) -> None:
    folder = disk.mount_point
    (folder / "source/pkg").mkdir(parents=True)
    for name in RELEASE_FILES:
        (folder / "source" / name).write_bytes(RELEASED)
    disk.restart()
    number = 0
    while cut_at(number, disk, lambda: make_release(folder)):
        TALLY["power cuts"] += 1
        disk.restart()
        # The next apply would make it anew; what is complete, it uses.
        if is_complete(str(folder / "release"), 0):
            found = {name: folder / "release" / name for name in (*RELEASE_FILES, "made")}
            assert dict.fromkeys(found, RELEASED) == {
                name: path.read_bytes() for name, path in found.items()
            }, f"power cut before effect {number}"
        number += every
    disk.cut_power()
    disk.restart()

    assert number > 0
    assert is_complete(str(folder / "release"), 0)
    assert RELEASED == (folder / "release/made").read_bytes()
    disk.check()


def test_without_a_flush_a_power_cut_does_lose_a_rename(disk: Disk) -> None:
    """Proof that the cut bites."""
    file, temp = disk.mount_point / "file", disk.mount_point / "temp"
    file.write_bytes(b"old")
    disk.restart()
    temp.write_bytes(b"new")
    temp.rename(file)
    disk.cut_power()
    disk.restart()

    assert b"new" != file.read_bytes()
