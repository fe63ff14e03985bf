"""A large file is copied by the kernel: its content is never written by this process."""

from __future__ import annotations

import errno
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconcile.filesystem.host_error import ChangedSincePlan, HostError
from reconcile.filesystem.permissions import PermissionPolicy
from reconcile.filesystem.sync import copy
from reconcile.filesystem.sync.sync_diff import SyncRequest
from reconcile.system import Host
from tests.support.sync import sync

pytestmark = pytest.mark.process

SIZE = 6 << 20
RULE = PermissionPolicy(0, 0, 0o644, 0o755)
SHIP = """
import sys
from reconcile.system import Host, HostSettings
from reconcile.filesystem.permissions import PermissionPolicy
from reconcile.filesystem.sync.sync_diff import SyncRequest
host = Host(HostSettings(service_manager="process", state_dir=sys.argv[3]))
policy = PermissionPolicy(0, 0, 0o644, 0o755)
order = SyncRequest(sys.argv[1], sys.argv[2], policy)
host.files.sync(order, host.files.diff(order))
"""
CALL = re.compile(r"^\d+ +(\w+)\((.*)\) += (-?\d+)", re.MULTILINE)


@pytest.fixture
def order(tmp_path: Path, site: Path) -> SyncRequest:
    """A source with one film, and an empty root."""
    source = tmp_path / "source"
    source.mkdir()
    (source / "film.mp4").write_bytes(os.urandom(SIZE))
    return SyncRequest(str(source), str(site), RULE)


def is_copied(order: SyncRequest) -> bool:
    names = os.listdir(order.root)
    films = [Path(folder, "film.mp4").read_bytes() for folder in (order.source, order.root)]
    return ["film.mp4"] == names and films[0] == films[1]


def test_its_bytes_are_copied_by_the_kernel(order: SyncRequest, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    strace = ("strace", "-f", "-y", "-qq", "-o", trace, "-e", "trace=/write|copy|sendfile|splice")

    subprocess.run(
        [*strace, sys.executable, "-c", SHIP, order.source, order.root, tmp_path / "state"],
        check=True,
    )

    calls = [call for call in CALL.findall(trace.read_text()) if ".film.mp4" in call[1]]
    assert {"copy_file_range"} == {name for name, _, _ in calls}
    assert SIZE == sum(int(count) for _, _, count in calls)
    assert is_copied(order)


@pytest.mark.parametrize("data", [(), (0,), (5 << 20,), (2 << 20, 9 << 20)], ids=str)
def test_its_holes_take_no_space(order: SyncRequest, host: Host, data: tuple[int, ...]) -> None:
    film = Path(order.source, "film.mp4")
    film.write_bytes(b"")
    with film.open("r+b") as file:
        for start in data:
            file.seek(start)
            file.write(os.urandom(1 << 16))
        file.truncate(10 << 20)

    sync(host, order)

    assert is_copied(order)
    assert os.stat(film).st_blocks >= os.stat(f"{order.root}/film.mp4").st_blocks


@pytest.mark.parametrize("why", ["EXDEV", "EINVAL", "ENOSYS", "EOPNOTSUPP", "EPERM"])
def test_where_the_kernel_cannot_it_is_copied_here(
    order: SyncRequest, host: Host, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    copy_range, calls = os.copy_file_range, []

    def refusing(original: int, target: int, count: int, *, offset_src: int) -> int:
        calls.append(offset_src)
        if offset_src:
            raise OSError(getattr(errno, why), why)
        return copy_range(original, target, SIZE // 2, offset_src=0)

    monkeypatch.setattr(os, "copy_file_range", refusing)
    sync(host, order)

    assert [0, SIZE // 2] == calls
    assert is_copied(order)


def test_a_file_with_holes_is_copied_whole_where_the_kernel_cannot(
    order: SyncRequest, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.truncate(f"{order.source}/film.mp4", 2 * SIZE)
    monkeypatch.setattr(os, "copy_file_range", failing_with("EXDEV"))

    sync(host, order)

    assert is_copied(order)


def failing_with(why: str) -> Callable[..., int]:
    def failing(*_: int, **__: int) -> int:
        raise OSError(getattr(errno, why), os.strerror(getattr(errno, why)))

    return failing


@pytest.mark.parametrize("why", ["ENOSPC", "EIO", "EDQUOT"])
def test_a_failed_write_is_reported_and_leaves_nothing(
    order: SyncRequest, host: Host, monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    monkeypatch.setattr(os, "copy_file_range", failing_with(why))

    with pytest.raises(HostError):
        sync(host, order)
    assert [] == os.listdir(order.root)


def test_a_source_that_changes_while_it_is_copied_is_noticed(
    order: SyncRequest, host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    clone = copy.clone_content

    def late(original: int, target: int) -> bool:
        film = Path(order.source, "film.mp4")
        then = film.stat().st_mtime_ns
        with film.open("r+b") as file:
            file.write(b"another beginning")
        os.utime(film, ns=(then, then))
        return clone(original, target)

    monkeypatch.setattr(copy, "clone_content", late)

    with pytest.raises(ChangedSincePlan, match=r"film\.mp4 changed after it was planned"):
        sync(host, order)
    assert [] == os.listdir(order.root)


class TestBlocksAreShared:
    """On a filesystem that can, a copy takes no space: btrfs in a file, mounted."""

    @pytest.fixture
    def btrfs(self, tmp_path: Path) -> Iterator[Path]:
        image, at = tmp_path / "btrfs.img", tmp_path / "btrfs"
        at.mkdir()
        with image.open("wb") as file:
            file.truncate(256 << 20)
        subprocess.run(["mkfs.btrfs", "-q", "--mixed", image], check=True)
        subprocess.run(["mount", "-o", "loop", image, at], check=True)
        yield at
        subprocess.run(["umount", at], check=True)

    def test_a_film_of_more_than_half_of_the_disk_is_copied(self, btrfs: Path, host: Host) -> None:
        (btrfs / "source").mkdir()
        (btrfs / "root").mkdir()
        (btrfs / "source/film.mp4").write_bytes(os.urandom(160 << 20))
        order = SyncRequest(str(btrfs / "source"), str(btrfs / "root"), RULE)

        sync(host, order)

        assert is_copied(order)
