"""Where a path really lies, whatever it is called."""

from __future__ import annotations

import os
from typing import NamedTuple

from reconcile.filesystem.names import ancestors


class Inode(NamedTuple):
    """A directory by its inode, 0 where it is absent, and its path without any symlink."""

    device: int
    inode: int
    path: str


RealLocation = tuple[Inode, ...]


def real_location(path: str) -> RealLocation:
    """The directory `path`, symlinks followed, and all that it lies in, nearest first.

    To compare paths, never to act on them.
    """
    real = os.path.realpath(path)
    return tuple(_place(one) for one in (real, *ancestors(real)))


def _place(path: str) -> Inode:
    try:
        st = os.stat(path, follow_symlinks=False)
    except OSError:
        return Inode(0, 0, path)
    return Inode(st.st_dev, st.st_ino, path)
