"""Users and groups of this machine, by name and by number."""

from __future__ import annotations

import grp
import os
import pwd
from functools import cached_property

from reconcile.errors import ReconcileError
from reconcile.filesystem.access_check import Account as Account


class UnknownAccount(ReconcileError):
    """The YAML names a user or group that this machine does not have."""


class Accounts:
    """Names to numbers and back; each is asked once.

    A decimal number stands for itself where no account has it as its name,
    so that an owner without an account can still be put back.
    """

    def __init__(self) -> None:
        self._users: dict[str, Account] = {}
        self._gids: dict[str, int] = {}
        self._user_names: dict[int, str] = {}
        self._group_names: dict[int, str] = {}

    @cached_property
    def current(self) -> Account:
        """Who runs this."""
        return self.user(self.user_name(os.geteuid()))

    def user(self, name: str) -> Account:
        """Errors: UnknownAccount."""
        if name not in self._users:
            self._users[name] = _read_user(name)
        return self._users[name]

    def group(self, name: str) -> int:
        """The gid of `name`. Errors: UnknownAccount."""
        if name not in self._gids:
            self._gids[name] = _read_gid(name)
        return self._gids[name]

    def user_name(self, uid: int) -> str:
        """The name of `uid`, the number itself where it has none."""
        if uid not in self._user_names:
            self._user_names[uid] = _user_name(uid)
        return self._user_names[uid]

    def group_name(self, gid: int) -> str:
        """The name of `gid`, the number itself where it has none."""
        if gid not in self._group_names:
            self._group_names[gid] = _group_name(gid)
        return self._group_names[gid]


def _read_user(name: str) -> Account:
    try:
        found = pwd.getpwnam(name)
    except KeyError:
        if not _is_number(name):
            raise UnknownAccount(
                what=f"user {name} does not exist on this host",
                why="neither /etc/passwd nor any other source of accounts knows it",
                fix=f"Create it (useradd --system {name}) or correct the name in the YAML.",
            ) from None
        return Account(name, int(name), int(name), frozenset({int(name)}))
    groups = frozenset(os.getgrouplist(found.pw_name, found.pw_gid))
    return Account(name, found.pw_uid, found.pw_gid, groups)


def _read_gid(name: str) -> int:
    try:
        return grp.getgrnam(name).gr_gid
    except KeyError:
        if _is_number(name):
            return int(name)
        raise UnknownAccount(
            what=f"group {name} does not exist on this host",
            why="neither /etc/group nor any other source of groups knows it",
            fix=f"Create it (groupadd --system {name}) or correct the name in the YAML.",
        ) from None


def _is_number(name: str) -> bool:
    return name.isascii() and name.isdigit()


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
