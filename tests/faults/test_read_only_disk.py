"""A disk that the kernel really makes read-only: before an apply, or in the middle of one."""

from __future__ import annotations

import errno
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconcile.engine.apply_report import Event, Report
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import FIXES, REASONS
from reconcile.resources.directory import Directory
from reconcile.resources.file import File
from tests.faults.power import Disk, own_mounts
from tests.faults.test_crash import refuse_remains, timeless
from tests.support.machine import Machine

pytestmark = pytest.mark.process

READ_ONLY = REASONS[errno.EROFS]
NAMES = ("a", "b", "c", "d")


@pytest.fixture
def disk(memory: Path) -> Iterator[Disk]:
    with own_mounts():
        disk = Disk(memory, "errors=remount-ro")
        yield disk
        disk.remove()


@pytest.fixture(params=["with its state", "its state elsewhere"])
def machine(request: pytest.FixtureRequest, disk: Disk, memory: Path) -> Machine:
    """A host whose files lie on that disk, the old ones applied."""
    root = disk.mount_point / "root"
    root.mkdir()
    state = disk.mount_point if request.param == "with its state" else memory
    machine = Machine(str(root), str(state / "state"))
    machine.apply(*site(machine, b"old\n"))
    return machine


def site(machine: Machine, text: bytes) -> tuple[Directory | File, ...]:
    files = [File(path=machine.path(f"{name}.conf"), content=text) for name in NAMES]
    return (*files, Directory(path=machine.path(text.decode().strip()), mode=0o755))


def whole(machine: Machine, text: bytes) -> bool:
    """Whether all files are of one kind; with the directory that goes with it."""
    found = timeless(machine.manifest())
    # What a later `reconcile rollback` would put back is kept beside.
    there = {path: facts for path, facts in found.items() if ".reconcile-" not in path}
    names = {f"{name}.conf" for name in NAMES} | {text.decode().strip()}
    return names == there.keys() and all(
        facts[4] == text for path, facts in there.items() if path.endswith(".conf")
    )


class Damaging(list[Event]):
    """Hears of an apply, and damages the disk when the change of that number begins."""

    def __init__(self, disk: Disk, change: int) -> None:
        super().__init__()
        self._disk, self._left = disk, change

    def append(self, event: Event) -> None:
        super().append(event)
        if event.type == "apply_start":
            self._left -= 1
            if self._left < 0:
                damaged(self._disk)
                self._left = sys.maxsize


def remount(disk: Disk, how: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{how}", disk.mount_point], check=True)


def damaged(disk: Disk) -> None:
    """The kernel finds a fault on the disk, and from then on writes nothing to it."""
    device = Path(device_of(disk)).name
    Path(f"/sys/fs/ext4/{device}/trigger_fs_error").write_text("1")


def device_of(disk: Disk) -> str:
    argv = ["findmnt", "-no", "SOURCE", disk.mount_point]
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.strip()


def repaired(disk: Disk) -> None:
    device = device_of(disk)
    disk.unmount()
    # 1 says that it has put something right.
    done = subprocess.run(["e2fsck", "-fy", device], capture_output=True, check=False)
    assert done.returncode in (0, 1), done.stdout
    disk.mount()


def reported(act: Callable[[], Report]) -> tuple[str, str, str]:
    """How an apply ended, and why and what to do as a person reads it."""
    try:
        report = act()
    except ReconcileError as error:
        return "refused", f"{error.what} {error.why}", error.fix
    return report.result, f"{report.error} {report.why}", report.fix


def test_a_read_only_disk_is_reported_before_anything_changes(disk: Disk, machine: Machine) -> None:
    remount(disk, "ro")

    ended, why, fix = reported(lambda: machine.apply(*site(machine, b"new\n")))

    assert READ_ONLY in why
    assert FIXES[errno.EROFS] in fix
    assert ended in ("refused", "rolled_back")
    assert whole(machine, b"old\n")
    remount(disk, "rw")
    assert () == machine.recover()
    refuse_remains(machine)


@pytest.mark.parametrize("change", range(len(NAMES) + 2))
def test_a_disk_that_becomes_read_only_is_reported_and_recovered_once_repaired(
    disk: Disk, machine: Machine, change: int
) -> None:
    machine.events = Damaging(disk, change)
    ended, why, _ = reported(lambda: machine.apply(*site(machine, b"new\n")))
    repaired(disk)
    machine.recover()

    assert "failed" == ended
    assert READ_ONLY in why
    assert whole(machine, b"old\n")
    refuse_remains(machine)
    assert "applied" == machine.apply(*site(machine, b"new\n")).result
    assert whole(machine, b"new\n")
