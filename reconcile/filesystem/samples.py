"""A few names of what lies in a folder, however much that is."""

from __future__ import annotations

import os
from itertools import islice
from posixpath import join

from reconcile.filesystem.resolve import directory

LOOKED_AT = 200
"""Names read of one folder; it may hold a million."""
FOLDERS = 20


def samples(root: str, most: int) -> tuple[str, ...]:
    """Up to `most` plain files below `root`, one of each folder, as relative names.

    Names that begin with a dot are left out. Errors: OSError.
    """
    found: list[str] = []
    folders = [""]
    for folder in folders:
        files, inner = _names(join(root, folder) if folder else root)
        found += [join(folder, name) for name in files[:1]]
        folders += [join(folder, name) for name in inner[: FOLDERS - len(folders)]]
        if len(found) >= most:
            break
    return tuple(found[:most])


def _names(path: str) -> tuple[list[str], list[str]]:
    """Plain files and folders among the first names of the folder, each sorted."""
    with directory(path) as (pin, _):
        fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=pin)
    try:
        with os.scandir(fd) as names:
            seen = [name for name in islice(names, LOOKED_AT) if not name.name.startswith(".")]
            files = sorted(name.name for name in seen if name.is_file(follow_symlinks=False))
            folders = sorted(name.name for name in seen if name.is_dir(follow_symlinks=False))
            return files, folders
    finally:
        os.close(fd)
