"""Giving many inodes their owner and mode at once, and taking that back."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from reconcile.filesystem.attributes import ACL, CAPABILITY
from reconcile.filesystem.file_undo import PermissionsChanged
from reconcile.filesystem.inode import Ownership
from reconcile.filesystem.permissions import PermissionDeviation, PermissionPolicy
from reconcile.filesystem.permissions_undo import PermissionsChangedBelow
from reconcile.filesystem.undo import Recorder, Undo
from reconcile.system import Host
from tests.support.disk import picture
from tests.support.recorder import MemoryRecorder, recording

pytestmark = pytest.mark.process  # needs root

POLICY = PermissionPolicy(33, 33, 0o644, 0o755)
CAN_BIND = bytes.fromhex("0100000200040000000000000000000000000000")


@pytest.fixture
def uploads(site: Path) -> Path:
    """Two folders with three wrong files each."""
    for folder in ("a", "b"):
        (site / folder).mkdir(0o700)
        for name in range(3):
            (site / folder / f"{name}.jpg").touch(0o600)
    return site


@pytest.fixture
def recorder(host: Host) -> MemoryRecorder:
    return recording(host)


def found_in(host: Host, uploads: Path) -> Sequence[PermissionDeviation]:
    return host.files.scan(str(uploads), POLICY).deviations


def fix(host: Host, uploads: Path, found: Sequence[PermissionDeviation] | None = None) -> None:
    known = found_in(host, uploads) if found is None else found
    host.files.fix_permissions(str(uploads), POLICY, known)


def test_what_is_found_together_is_recorded_in_one_line(
    host: Host, uploads: Path, recorder: MemoryRecorder
) -> None:
    fix(host, uploads)

    assert [] == found_in(host, uploads)
    assert 1 == len(recorder.lines)
    assert 8 == len(recorder.undos)


def test_it_is_recorded_before_the_first_change(host: Host, uploads: Path) -> None:
    before = picture(uploads)
    seen = []

    class Watching(Recorder):
        id, keep_dir = "7-test", ""

        def record_undo(self, *undos: Undo) -> None:
            seen.append(picture(uploads))

    host.recorder = Watching()
    fix(host, uploads)

    assert [before] == seen


def test_taking_it_back_restores_owners_modes_acls_and_capabilities(
    host: Host, uploads: Path, recorder: MemoryRecorder
) -> None:
    subprocess.run(["setfacl", "-m", "user:games:rw", uploads / "a/0.jpg"], check=True)
    os.setxattr(uploads / "a/1.jpg", CAPABILITY, CAN_BIND)
    before = picture(uploads)

    fix(host, uploads)
    assert CAN_BIND == os.getxattr(uploads / "a/1.jpg", CAPABILITY)
    os.removexattr(uploads / "a/1.jpg", CAPABILITY)
    recorder.take_back(host)

    assert before == picture(uploads)
    assert CAN_BIND == os.getxattr(uploads / "a/1.jpg", CAPABILITY)


def test_attributes_set_after_the_scan_are_recorded_and_restored(
    host: Host, uploads: Path, recorder: MemoryRecorder
) -> None:
    found = found_in(host, uploads)
    subprocess.run(["setfacl", "-m", "user:games:rw,mask:-", uploads / "a/0.jpg"], check=True)
    os.setxattr(uploads / "a/1.jpg", CAPABILITY, CAN_BIND)

    fix(host, uploads, found)

    [file] = (undo for undo in recorder.undos if undo.affects.endswith("a/0.jpg"))
    [program] = (undo for undo in recorder.undos if undo.affects.endswith("a/1.jpg"))
    assert isinstance(file, PermissionsChanged)
    assert isinstance(program, PermissionsChanged)
    assert [ACL] == [*file.attributes]
    assert {CAPABILITY: CAN_BIND.hex()} == program.attributes
    assert CAN_BIND == os.getxattr(uploads / "a/1.jpg", CAPABILITY)


def test_what_somebody_else_fixed_after_the_scan_is_theirs_also_in_a_rollback(
    host: Host, uploads: Path, recorder: MemoryRecorder
) -> None:
    found = found_in(host, uploads)
    os.chown(uploads / "a/0.jpg", 33, 33)
    (uploads / "a/0.jpg").chmod(0o644)

    fix(host, uploads, found)
    recorder.take_back(host)

    assert Ownership(33, 33, 0o644) == Ownership.of((uploads / "a/0.jpg").stat())
    assert Ownership(0, 0, 0o600) == Ownership.of((uploads / "a/1.jpg").stat())


def test_a_file_that_was_written_since_is_fixed_all_the_same(host: Host, uploads: Path) -> None:
    found = found_in(host, uploads)
    (uploads / "a/0.jpg").write_bytes(b"more")

    fix(host, uploads, found)

    assert [] == found_in(host, uploads)


def test_a_mount_that_came_after_the_scan_is_left_alone(host: Host, uploads: Path) -> None:
    elsewhere = uploads.parent / "elsewhere"
    elsewhere.touch(0o600)
    found = found_in(host, uploads)
    subprocess.run(["mount", "--bind", elsewhere, uploads / "a/0.jpg"], check=True)
    try:
        fix(host, uploads, found)
    finally:
        subprocess.run(["umount", uploads / "a/0.jpg"], check=True)

    left = [Ownership.of(path.stat()) for path in (elsewhere, uploads / "a/0.jpg")]
    assert [Ownership(0, 0, 0o600)] * 2 == left


def test_a_line_is_read_back_as_a_record_for_each_inode_directories_first() -> None:
    found = (
        PermissionDeviation("a", True, 1, 2, 0o700, 10, 0, ()),
        PermissionDeviation("a/0", False, 3, 4, 0o600, 11, 0, ((ACL, "00"),)),
    )

    line = PermissionsChangedBelow.of("/media", POLICY, found)

    assert [
        PermissionsChanged("/media/a", 10, 1, 2, 0o700, {}, [(33, 33, 0o755)]),
        PermissionsChanged("/media/a/0", 11, 3, 4, 0o600, {ACL: "00"}, [(33, 33, 0o644)]),
    ] == [*line.parts()]
