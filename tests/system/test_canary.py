"""A canary that cannot be written whole."""

from __future__ import annotations

import errno
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconcile.system import Host
from reconcile.system.canary import Canary, create, remove, remove_upload

pytestmark = pytest.mark.process


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A disk that has room for names, and for no byte in them."""
    disk = tmp_path / "full"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", disk], check=True)
    (disk / "filling").write_bytes(bytes(4096))
    yield disk
    subprocess.run(["umount", disk], check=True)


def test_on_a_full_disk_nothing_of_it_stays(full: Path) -> None:
    with pytest.raises(OSError) as refused:  # noqa: PT011  its number is what is asked for
        create(Host(), str(full), Canary.new(), mode=0o644, writer=None)

    assert errno.ENOSPC == refused.value.errno
    assert ["filling"] == [path.name for path in full.iterdir()]


@pytest.fixture
def media(public: Path) -> Path:
    folder = public / "media"
    folder.mkdir()
    os.chown(folder, 33, 33)
    return folder


@pytest.mark.parametrize(
    ("name", "length"),
    [("empty.lock", 0), ("2023/.gitkeep", 0), ("r3.txt", 3), ("most.txt", -1)],
)
def test_a_file_that_the_app_names_and_that_is_not_the_whole_canary_is_kept(
    media: Path, name: str, length: int
) -> None:
    sent = Canary.new()
    upload = media / name
    upload.parent.mkdir(exist_ok=True)
    upload.write_bytes(sent.content[:length])

    is_removed = remove_upload(str(media), name, sent)

    assert (False, sent.content[:length]) == (is_removed, upload.read_bytes())


def test_the_whole_canary_is_removed_whatever_the_app_calls_it(media: Path) -> None:
    sent = Canary.new()
    (media / "renamed.jpg").write_bytes(sent.content)

    assert remove_upload(str(media), "renamed.jpg", sent)
    assert [] == [*media.iterdir()]


@pytest.mark.parametrize("name", ["../outside.txt", "a/../../outside.txt", "/outside.txt", "link"])
def test_the_app_cannot_name_a_file_elsewhere(media: Path, name: str) -> None:
    sent = Canary.new()
    outside = media.parent / "outside.txt"
    outside.write_bytes(sent.content)
    (media / "link").symlink_to(outside)

    assert not remove_upload(str(media), name, sent)
    assert sent.content == outside.read_bytes()


def test_what_was_put_in_the_place_of_a_canary_is_kept(media: Path) -> None:
    sent = Canary.new()
    create(Host(), str(media), sent, mode=0o644, writer=None)
    (media / "holiday.jpg").write_bytes(b"")
    (media / "holiday.jpg").rename(media / sent.name)

    remove(Host(), str(media), sent, writer=None)

    assert [sent.name] == [path.name for path in media.iterdir()]
