"""Who may pass and read: the kernel's own decision, computed for any user.

Source: acl(5), "Access check algorithm"; path_resolution(7).
"""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple

from reconcile.host.accounts import Account
from reconcile.host.files.meta import ACL, attribute
from reconcile.host.files.model import Stat
from reconcile.host.files.names import ancestors
from reconcile.host.files.resolve import entry

READ, WRITE, EXECUTE = 4, 2, 1
USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
NOBODY = 0xFFFFFFFF
VERSION = struct.Struct("<I")
ENTRY = struct.Struct("<HHI")


class AclEntry(NamedTuple):
    """One line of an access list: what it is about, its rwx bits, whose it is."""

    tag: int
    bits: int
    id: int


@dataclass(frozen=True)
class Step:
    """One component on the way, and what the account may do with it.

    `passable`: enter the directory, or follow on; `readable`: read the file or
    list the directory; `writable`: write the file, or change names in it.
    """

    path: str
    stat: Stat
    passable: bool
    readable: bool
    writable: bool


@dataclass(frozen=True)
class Walk:
    """Every component from `/` to the path, as far as it exists."""

    steps: tuple[Step, ...]
    complete: bool

    @property
    def blocked(self) -> Step | None:
        """The first directory above the path that keeps the account out."""
        way = self.steps[:-1] if self.complete else self.steps
        return next((step for step in way if not step.passable), None)

    @property
    def last(self) -> Step | None:
        return self.steps[-1] if self.complete else None

    @property
    def can_read(self) -> bool:
        return self.last is not None and self.blocked is None and self.last.readable

    @property
    def can_enter(self) -> bool:
        return self.last is not None and self.blocked is None and self.last.passable


def allows(st: Stat, acl: tuple[AclEntry, ...], account: Account, want: int) -> bool:
    """Whether `account` gets every bit of `want` on an inode; `acl` is empty without one."""
    if account.uid == 0:
        executable = st.kind == "directory" or bool(st.mode & 0o111)
        return not want & EXECUTE or executable
    if account.uid == st.uid:
        return _grants(st.mode >> 6, want)
    # Linux does not look at the list where the mask, shown as the group's bits, is empty.
    if acl and st.mode & 0o070:
        return _by_acl(st, acl, account, want)
    return _by_mode(st, account, want)


def _grants(bits: int, want: int) -> bool:
    return bits & want == want


def _by_mode(st: Stat, account: Account, want: int) -> bool:
    return _grants(st.mode >> 3 if st.gid in account.groups else st.mode, want)


def _by_acl(st: Stat, acl: tuple[AclEntry, ...], account: Account, want: int) -> bool:
    mask = next((line.bits for line in acl if line.tag == MASK), 0o7)
    for line in acl:
        if line.tag == USER and line.id == account.uid:
            return _grants(line.bits & mask, want)
    groups = [line for line in acl if _is_group_of(line, st, account)]
    if groups:
        return any(_grants(line.bits & mask, want) for line in groups)
    return _grants(st.mode, want)


def _is_group_of(line: AclEntry, st: Stat, account: Account) -> bool:
    if line.tag == GROUP_OBJ:
        return st.gid in account.groups
    return line.tag == GROUP and line.id in account.groups


def enters(account: Account, uid: int, gid: int, mode: int) -> bool:
    """Whether a directory of this owner and mode, without an access list, lets `account` pass."""
    if account.uid == 0:
        return True
    if account.uid == uid:
        return bool(mode & 0o100)
    return bool(mode & (0o010 if gid in account.groups else 0o001))


def parse_acl(value: bytes | None) -> tuple[AclEntry, ...]:
    """The lines of a system.posix_acl_access attribute; none where there is no attribute."""
    if not value:
        return ()
    body = value[VERSION.size :]
    return tuple(AclEntry(*fields) for fields in ENTRY.iter_unpack(body))


def walk_as(path: str, account: Account) -> Walk:
    """Look at `/` and every component down to `path`, symlinks followed where that is safe."""
    steps: list[Step] = []
    for component in (*reversed(list(ancestors(path))), path):
        with _pinned(component) as pin:
            if pin is None:
                return Walk(tuple(steps), complete=False)
            steps.append(step(component, pin, account))
    return Walk(tuple(steps), complete=True)


@contextmanager
def _pinned(path: str) -> Iterator[int | None]:
    try:
        with entry(path, follow=True) as at:
            pin: int | None = at.pin()
    except (FileNotFoundError, NotADirectoryError):
        pin = None
    try:
        yield pin
    finally:
        if pin is not None:
            os.close(pin)


def step(path: str, pin: int, account: Account) -> Step:
    """What `account` may do with one pinned inode."""
    st, acl = _facts(pin)
    may = [allows(st, acl, account, want) for want in (EXECUTE, READ, WRITE)]
    return Step(path, st, *may)


def may(path: str, accounts: Sequence[Account], want: int) -> list[bool]:
    """For each account whether it has `want` on the inode itself; False where it is absent."""
    with _pinned(path) as pin:
        if pin is None:
            return [False] * len(accounts)
        st, acl = _facts(pin)
        return [allows(st, acl, account, want) for account in accounts]


def _facts(pin: int) -> tuple[Stat, tuple[AclEntry, ...]]:
    found = os.fstat(pin)
    acl = () if stat.S_ISLNK(found.st_mode) else parse_acl(attribute(pin, ACL))
    return Stat.of(found), acl
