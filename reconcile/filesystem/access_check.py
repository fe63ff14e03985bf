"""Who may pass and read: the kernel's own decision, computed for any user.

Source: acl(5), "Access check algorithm"; path_resolution(7).
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from posixpath import dirname, join
from typing import NamedTuple

from reconcile.dataclass import dataclass
from reconcile.filesystem.attributes import ACL, read_attribute
from reconcile.filesystem.inode import Stat
from reconcile.filesystem.safe_path import MOST_SYMLINKS, pin_name
from reconcile.system.accounts import Account

READ, WRITE, EXECUTE = 4, 2, 1
USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
NOBODY = 0xFFFFFFFF
VERSION = struct.Struct("<I")
ENTRY = struct.Struct("<HHI")


class AclEntry(NamedTuple):
    """One line of an access list: what it is about, its rwx bits, whose it is."""

    tag: int
    permissions: int
    id: int


@dataclass(frozen=True)
class AccessStep:
    """One component on the way, and what the account may do with it.

    `passable`: enter the directory, or follow on; `readable`: read the file or
    list the directory; `writable`: write the file, or change names in it.
    """

    path: str
    stat: Stat
    passable: bool
    readable: bool
    writable: bool
    acl: tuple[AclEntry, ...] = ()


@dataclass(frozen=True)
class AccessWalk:
    """Every component from `/` to the path, as far as it exists.

    After a symlink follow the components of what it leads to.
    """

    steps: tuple[AccessStep, ...]
    complete: bool

    @property
    def blocked(self) -> AccessStep | None:
        """The first directory above the path that keeps the account out."""
        way = self.steps[:-1] if self.complete else self.steps
        folders = (step for step in way if step.stat.kind == "directory")
        return next((step for step in folders if not step.passable), None)

    @property
    def last(self) -> AccessStep | None:
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
    mask = next((line.permissions for line in acl if line.tag == MASK), 0o7)
    for line in acl:
        if line.tag == USER and line.id == account.uid:
            return _grants(line.permissions & mask, want)
    groups = [line for line in acl if _is_group_of(line, st, account)]
    if groups:
        return any(_grants(line.permissions & mask, want) for line in groups)
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


def walk_as(path: str, account: Account) -> AccessWalk:
    """Look at `/` and every component down to `path`, symlinks followed as the kernel would.

    Nothing is opened but the names themselves, so a link leads nobody astray.
    Errors: OSError where we may not look ourselves.
    """
    way = _AccessWalker(account)
    try:
        return AccessWalk(way.down(path), complete=way.complete)
    except PermissionError:
        # What keeps us out keeps out the account too, where it says so.
        if all(step.passable for step in way.steps):
            raise
        return AccessWalk(tuple(way.steps), complete=False)


class _AccessWalker:
    """The physical way: a name is looked at only below directories that are no links."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.steps: list[AccessStep] = []
        self.complete = True
        self._links = 0

    def down(self, path: str) -> tuple[AccessStep, ...]:
        here, names = "/", _reversed_names(path)
        self._look(here)
        while names and self.complete:
            name = names.pop()
            if name == "..":
                here = dirname(here)
                continue
            target = self._look(join(here, name))
            if target is None:
                here = join(here, name)
            else:
                names += _reversed_names(target)
                here = "/" if target.startswith("/") else here
        return tuple(self.steps)

    def _look(self, path: str) -> str | None:
        """Note the step; where a symlink leads, None for anything else."""
        with _pinned(path, follow=False) as pin:
            if pin is None:
                self.complete = False
                return None
            found = step(path, pin, self._account)
            self.steps.append(found)
            if found.stat.kind != "symlink":
                return None
            self._links += 1
            if self._links > MOST_SYMLINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            return os.readlink("", dir_fd=pin)


def _reversed_names(path: str) -> list[str]:
    return [name for name in reversed(path.split("/")) if name not in ("", ".")]


@contextmanager
def _pinned(path: str, *, follow: bool = True) -> Iterator[int | None]:
    try:
        with pin_name(path, follow=follow) as at:
            pin: int | None = at.pin()
    except (FileNotFoundError, NotADirectoryError):
        pin = None
    try:
        yield pin
    finally:
        if pin is not None:
            os.close(pin)


def step(path: str, pin: int, account: Account) -> AccessStep:
    """What `account` may do with one pinned inode."""
    st, acl = _facts(pin)
    passable, readable, writable = (
        allows(st, acl, account, want) for want in (EXECUTE, READ, WRITE)
    )
    return AccessStep(path, st, passable, readable, writable, acl)


def may_access(path: str, accounts: Sequence[Account], want: int) -> list[bool]:
    """For each account whether it has `want` on the inode itself; False where it is absent."""
    with _pinned(path) as pin:
        if pin is None:
            return [False] * len(accounts)
        st, acl = _facts(pin)
        return [allows(st, acl, account, want) for account in accounts]


def _facts(pin: int) -> tuple[Stat, tuple[AclEntry, ...]]:
    found = os.fstat(pin)
    acl = () if stat.S_ISLNK(found.st_mode) else parse_acl(read_attribute(pin, ACL))
    return Stat.of(found), acl
