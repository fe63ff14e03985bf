"""A canary that cannot be written whole."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconcile.system import Host
from reconcile.system.canary import Canary, create

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
