"""What a file is labelled as for SELinux outlives its content; a label can be planted anywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconcile.filesystem.permissions import PermissionPolicy
from reconcile.filesystem.sync.sync_diff import SyncRequest
from reconcile.system import Host
from tests.support.recorder import MemoryRecorder
from tests.support.sync import sync

pytestmark = pytest.mark.process

LABEL = b"system_u:object_r:httpd_sys_content_t:s0\0"
NAME = "security.selinux"


def labelled(path: Path) -> Path:
    os.setxattr(path, NAME, LABEL)
    return path


def label(path: Path) -> bytes:
    return os.getxattr(path, NAME)


@pytest.fixture
def page(site: Path) -> Path:
    (site / "page").write_text("old")
    return labelled(site / "page")


def test_a_file_keeps_its_label_when_it_gets_new_content(host: Host, page: Path) -> None:
    before = page.stat().st_ino

    host.files.write(str(page), b"new", uid=0, gid=0, mode=0o644)

    assert LABEL == label(page)
    assert before != page.stat().st_ino


def test_a_file_keeps_its_label_when_its_owner_and_mode_change(host: Host, page: Path) -> None:
    host.files.set_permissions(str(page), uid=33, gid=33, mode=0o600)

    assert LABEL == label(page)


def test_a_file_that_was_replaced_or_removed_comes_back_with_its_label(
    host: Host, recorder: MemoryRecorder, page: Path
) -> None:
    os.setxattr(page, NAME, b"system_u:object_r:etc_t:s0\0")
    host.files.write(str(page), b"new", uid=0, gid=0, mode=0o644)
    host.files.unlink(str(page))

    recorder.take_back(host)

    assert b"system_u:object_r:etc_t:s0\0" == label(page)
    assert "old" == page.read_text()


def test_a_directory_that_was_removed_comes_back_with_its_label(
    host: Host, recorder: MemoryRecorder, site: Path
) -> None:
    (site / "dir").mkdir()
    labelled(site / "dir")
    host.files.rmdir(f"{site}/dir")

    recorder.take_back(host)

    assert LABEL == label(site / "dir")


def test_assets_keep_their_labels_when_they_change(host: Host, site: Path, public: Path) -> None:
    (public / "a.css").write_text("new")
    (site / "a.css").write_text("old")
    labelled(site / "a.css")

    sync(host, SyncRequest(str(public), str(site), PermissionPolicy(0, 0, 0o644, 0o755)))

    assert "new" == (site / "a.css").read_text()
    assert LABEL == label(site / "a.css")


def test_what_is_new_is_made_where_it_stays_and_gets_the_label_that_the_kernel_gives(
    host: Host, page: Path
) -> None:
    """A new file takes the type of its folder: no label of another place is carried there."""
    host.files.write(f"{page}.new", b"new", uid=0, gid=0, mode=0o644)

    assert [] == os.listxattr(f"{page}.new")
