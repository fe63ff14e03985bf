"""A tree so deep that no system call takes the path of its end."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

WEB = 33


@contextmanager
def nested(root: Path, levels: int, uid: int = WEB) -> Iterator[None]:
    """That many directories in each other, of that user, until the end of the body."""
    fd = os.open(root, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir("d", 0o700, dir_fd=fd)
        below = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.fchown(below, uid, uid)
        os.close(fd)
        fd = below
    os.close(fd)
    try:
        yield
    finally:
        subprocess.run(["rm", "-rf", root / "d"], check=True)
