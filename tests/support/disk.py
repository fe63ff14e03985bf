"""What is on the disk, read without any of our own code."""

from __future__ import annotations

import os
import stat
from pathlib import Path


def picture(root: Path, *, mtimes: bool = True) -> dict[str, tuple[object, ...]]:
    """Path → type, mode, owner, content and mtime of everything below `root`.

    Not the mtimes of directories, which change with every name in them.
    """
    found = {}
    for folder, folders, files in os.walk(root):
        for name in (*folders, *files):
            path = Path(folder, name)
            found[str(path.relative_to(root))] = _facts(path, mtimes=mtimes)
    return found


def _facts(path: Path, *, mtimes: bool) -> tuple[object, ...]:
    st = path.lstat()
    owner = (st.st_uid, st.st_gid)
    if stat.S_ISLNK(st.st_mode):
        return ("link", os.readlink(path), owner)
    if stat.S_ISDIR(st.st_mode):
        return ("directory", stat.S_IMODE(st.st_mode), owner)
    if not stat.S_ISREG(st.st_mode):
        return ("other", st.st_mode, owner)
    attributes = {name: os.getxattr(path, name) for name in os.listxattr(path)}
    mtime = st.st_mtime_ns if mtimes else 0
    return ("file", stat.S_IMODE(st.st_mode), owner, path.read_bytes(), attributes, mtime)
