"""Read a single file that root will publish, unless somebody else can have moved it there."""

from __future__ import annotations

import os

from reconcile.filesystem.folder_access import can_all_writers_read
from reconcile.filesystem.inode import Stat
from reconcile.filesystem.permissions import hard_links_are_protected
from reconcile.filesystem.read import open_file, read_all
from reconcile.filesystem.safe_path import PinnedName, pin_name, topmost_untrusted


def read_publishable(path: str, limit: int) -> tuple[Stat, bytes | None]:
    """The facts of the file that `path` is or safely points to, and its bytes.

    None instead of them where those who can have put it there could not read it.
    Errors: FileNotFoundError, UnsafePath; EFBIG above `limit` bytes.
    """
    with pin_name(path, follow=True) as at, open_file(at) as fd:
        st = os.fstat(fd)
        is_private = at.trust != "trusted" and _is_private(st, at)
        return Stat.of(st), None if is_private else read_all(fd, limit)


def _is_private(st: os.stat_result, at: PinnedName) -> bool:
    folder = os.fstat(at.dir_fd)
    is_linked = st.st_nlink > 1 and st.st_uid != folder.st_uid
    if is_linked and not hard_links_are_protected():
        return True
    return not can_all_writers_read(st, topmost_untrusted(at.dir_fd) or folder)
