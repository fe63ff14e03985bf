"""Users and groups of this machine, by name and by number."""

from __future__ import annotations

import grp
import os
import pwd
from collections.abc import Callable
from functools import cache, cached_property

from reconcile.errors import ReconcileError
from reconcile.filesystem.access_check import Account as Account


class UnknownAccount(ReconcileError):
    """The YAML names a user or group that this machine does not have."""


STRANGER = Account("any user of this machine", 0xFFFF_FFFD, 0xFFFF_FFFD, frozenset())
"""Stands for a user without any special access."""


class Accounts:
    """Looks up users and groups; each lookup reads the account database once.

    `user` and `group` take a name, and raise UnknownAccount where none has it; a decimal number
    that is nobody's name stands for itself, so that an owner without an account can be restored.
    `user_name` and `group_name` take an id, and return it as text where no account has it.
    """

    user: Callable[[str], Account]
    group: Callable[[str], int]
    user_name: Callable[[int], str]
    group_name: Callable[[int], str]

    def __init__(self) -> None:
        self.user = cache(_read_user)
        self.group = cache(_read_gid)
        self.user_name = cache(_read_user_name)
        self.group_name = cache(_read_group_name)

    @cached_property
    def current(self) -> Account:
        """The user that runs this process."""
        return self.user(self.user_name(os.geteuid()))


def _read_user(name: str) -> Account:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        number = _number(name, "user", "useradd")
        return Account(name, number, number, frozenset({number}))
    groups = frozenset(os.getgrouplist(found.pw_name, found.pw_gid))
    return Account(name, found.pw_uid, found.pw_gid, groups)


def _read_gid(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        return _number(name, "group", "groupadd")


def _number(name: str, kind: str, create: str) -> int:
    """`name` as a decimal number. Errors: UnknownAccount where it is none."""
    if name.isascii() and name.isdigit():
        return int(name)
    raise UnknownAccount(
        what=f"{kind} {name} does not exist on this host",
        why=f"the {kind} database has no such name",
        fix=f"Create it ({create} --system {name}), or correct the name in the YAML.",
    ) from None


def _read_user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _read_group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
