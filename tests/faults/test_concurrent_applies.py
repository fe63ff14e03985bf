"""Many applies at once, and a disk that is full."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from reconcile.engine.history_integrity import check_history
from reconcile.engine.ledger_store import read_ledger
from reconcile.engine.recovery import unfinished
from reconcile.errors import ReconcileError
from reconcile.resources.file import File
from reconcile.system import Host
from reconcile.system.lock import lock
from tests.faults.killing import forked
from tests.support.machine import Machine, in_box

pytestmark = pytest.mark.process

AT_ONCE = 20
DEADLINE_S = 60.0


def one_apply(machine: Machine, number: int) -> None:
    host = machine.host
    with lock(host, "reconcile apply", timeout_s=DEADLINE_S):
        inside = Path(machine.state) / "inside"
        # O_EXCL: a second one who is inside at the same time fails here.
        os.close(os.open(inside, os.O_CREAT | os.O_EXCL))
        machine.apply_locked(host, File(path=machine.path("a"), content=b"%d" % number, mode=0o644))
        inside.unlink()


def test_of_many_applies_at_once_exactly_one_is_at_work_and_no_row_is_lost(
    swift_machine: Machine,
) -> None:
    children = [forked(partial(one_apply, swift_machine, number)) for number in range(AT_ONCE)]

    assert {0} == {os.waitpid(child, 0)[1] for child in children}
    state = swift_machine.host.state
    assert AT_ONCE == read_ledger(state).serial
    assert () == check_history(state, read_ledger(state))[1]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 1 MiB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk], check=True)
    yield disk
    subprocess.run(["umount", disk], check=True)


def fill(disk: Path, *, leave: int) -> None:
    free = os.statvfs(disk)
    (disk / "filling").write_bytes(bytes(free.f_bavail * free.f_frsize - leave))


def test_a_full_disk_is_reported_before_anything_changes(small_disk: Path) -> None:
    machine = in_box(small_disk)
    fill(small_disk, leave=16 << 10)

    with pytest.raises(ReconcileError) as error:
        machine.apply(File(path=machine.path("a"), content=b"x", mode=0o644))

    assert "no space or no inodes are left on the filesystem" == error.value.why
    assert {} == machine.manifest()


def test_a_disk_that_fills_up_meanwhile_rolls_everything_back(small_disk: Path) -> None:
    machine = in_box(small_disk)
    old = File(path=machine.path("a"), content=b"old", mode=0o644)
    machine.apply(old)
    before = machine.manifest()

    report = machine.apply(
        replace(old, content=b"new"),
        File(path=machine.path("b"), content=bytes(2 << 20), mode=0o644),
    )

    assert ("rolled_back", before) == (report.result, machine.manifest())
    assert () == unfinished(machine.host)


def test_a_rollback_needs_no_new_space(small_disk: Path) -> None:
    machine = in_box(small_disk)
    machine.apply(File(path=machine.path("a"), content=b"old", mode=0o644))
    before = machine.manifest()

    class FullDisk(File):
        def apply(self, host: Host, before: File | None) -> None:
            super().apply(host, before)
            fill(small_disk, leave=0)
            raise ReconcileError("the disk is full by now")

    report = machine.apply(FullDisk(path=machine.path("a"), content=b"new", mode=0o644))
    (small_disk / "filling").unlink()

    assert ("rolled_back", before) == (report.result, {**machine.manifest()})
