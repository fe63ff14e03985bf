"""Who can have put a file where it lies, and whether they could read it before.

Whoever may write in two folders can move a file from one to the other, also one of root's
or of a third user's that they could never read. So what lies in a folder that somebody
else can write is given away, or published, only if that tells them nothing new.
"""

from __future__ import annotations

import os
import pwd
import stat
from functools import cache

from reconcile.filesystem.access_check import EXECUTE, READ, Account
from reconcile.filesystem.access_walk import check_step
from reconcile.filesystem.safe_path import trusted_users


def can_add_names(uid: int, folder: int) -> bool:
    """Whether the user can have created a file in the open directory `folder` himself."""
    return check_step("", folder, _account(uid)).writable


def can_all_writers_read(st: os.stat_result, folder: os.stat_result) -> bool:
    """Whether whoever can write in `folder` could read the file `st` without our help."""
    return _all_writers_can(st, folder, READ)


def can_all_writers_enter(st: os.stat_result, folder: os.stat_result) -> bool:
    """The same for a directory, and entering and listing it."""
    return _all_writers_can(st, folder, READ | EXECUTE)


def _all_writers_can(st: os.stat_result, folder: os.stat_result, want: int) -> bool:
    """What belongs to the folder's owner is his own; root's has to be open to them."""
    is_owners = st.st_uid == folder.st_uid and (st.st_uid != 0 or os.geteuid() != 0)
    if is_owners or st.st_mode & want == want:
        return True
    if folder.st_mode & stat.S_IWOTH or (st.st_mode >> 3) & want != want:
        return False
    is_group_in = not folder.st_mode & stat.S_IWGRP or folder.st_gid == st.st_gid
    is_owner_in = folder.st_uid in trusted_users() or st.st_gid in _account(folder.st_uid).groups
    return is_group_in and is_owner_in


@cache
def _account(uid: int) -> Account:
    try:
        found = pwd.getpwuid(uid)
    except KeyError:
        return Account("", uid, -1, frozenset())
    groups = frozenset(os.getgrouplist(found.pw_name, found.pw_gid))
    return Account(found.pw_name, uid, found.pw_gid, groups)
