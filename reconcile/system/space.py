"""How much room a filesystem has left for who is not root."""

from __future__ import annotations

import os
from posixpath import dirname

from reconcile.filesystem.errors import explained
from reconcile.filesystem.resolve import entry

LEAST_BYTES = 1 << 20


def is_full(path: str) -> bool:
    """Whether less than 1 MiB, or no inode, is left where `path` lies or would lie.

    Errors: HostError where we may not look.
    """
    with explained(f"the room that is left at {path} cannot be told"):
        try:
            with entry(path, follow=True) as at:
                pin = at.pin()
        except (FileNotFoundError, NotADirectoryError):
            return is_full(dirname(path))
        try:
            found = os.fstatvfs(pin)
        finally:
            os.close(pin)
    # Some filesystems count no inodes.
    no_inode = found.f_files > 0 and found.f_favail == 0
    return found.f_bavail * found.f_frsize < LEAST_BYTES or no_inode
