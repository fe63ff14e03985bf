"""What a rollback has put back is on the disk before anybody writes down that it was."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reconcile.engine import rollback
from reconcile.resources.directory import Directory
from reconcile.resources.file import File
from tests.faults.power import Disk, own_mounts
from tests.faults.test_crash import timeless
from tests.support.machine import Machine

pytestmark = pytest.mark.process

FEW, MANY = 3, 30
"""Folders: each flushed by itself, or the whole filesystem at once."""


@pytest.fixture
def disk(memory: Path) -> Iterator[Disk]:
    with own_mounts():
        disk = Disk(memory, "noauto_da_alloc")
        yield disk
        disk.remove()


@pytest.fixture
def machine(disk: Disk, memory: Path) -> Machine:
    """Files on a disk whose power can be cut, its memory on another that outlives that."""
    root = disk.mount_point / "root"
    root.mkdir()
    return Machine(str(root), str(memory / "state"))


def site(machine: Machine, folders: int, text: bytes) -> tuple[Directory | File, ...]:
    made = [Directory(path=machine.path(str(number)), mode=0o755) for number in range(folders)]
    return (*made, *(File(path=f"{one.path}/site.conf", content=text) for one in made))


def taken_back_then_cut(disk: Disk, machine: Machine, folders: int) -> tuple[object, object]:
    """What was there before an apply, and after it was taken back and the power was cut."""
    machine.apply(*site(machine, folders, b"old\n"))
    before = timeless(machine.manifest())
    machine.apply(*site(machine, folders, b"new\n"))
    machine.take_back()
    disk.cut_power()
    disk.restart()
    return before, timeless(machine.manifest())


@pytest.mark.parametrize("folders", [FEW, MANY])
def test_a_power_cut_right_after_a_rollback_takes_nothing_of_it_away(
    disk: Disk, machine: Machine, folders: int
) -> None:
    before, after = taken_back_then_cut(disk, machine, folders)

    assert before == after
    assert () == machine.plan(*site(machine, folders, b"old\n")).changes


def test_without_the_flush_it_does(
    disk: Disk, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Proof that the cut bites."""
    monkeypatch.setattr(rollback, "flush", lambda folders, *, skips_links: [*folders])

    before, after = taken_back_then_cut(disk, machine, FEW)

    assert before != after
