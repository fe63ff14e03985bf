"""Who can enter, read and write: the kernel's own decision, computed for any account.

Source: acl(5), "Access check algorithm"; path_resolution(7).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from posixpath import dirname, join
from shlex import quote

from reconcile.dataclass import dataclass
from reconcile.filesystem.acl import GROUP, GROUP_OBJ, USER, AclEntry, mask_of, parse_acl
from reconcile.filesystem.attributes import ACL, read_attribute
from reconcile.filesystem.inode import Stat
from reconcile.filesystem.path import components
from reconcile.filesystem.safe_path import MOST_SYMLINKS, pin_name

READ, WRITE, EXECUTE = 4, 2, 1


@dataclass(frozen=True)
class Account:
    """A user with every group that counts when the kernel decides."""

    name: str
    uid: int
    gid: int
    groups: frozenset[int]


@dataclass(frozen=True)
class AccessStep:
    """One component of a path, and what the account can do with it.

    `passable`: enter the directory, or follow the link; `readable`: read the file or
    list the directory; `writable`: write the file, or change names in the directory.
    """

    path: str
    stat: Stat
    passable: bool
    readable: bool
    writable: bool
    acl: tuple[AclEntry, ...] = ()


def grant_command(step: AccessStep, account: Account) -> str:
    """The command that lets `account` pass a directory, or read a file, and grants no more."""
    bit = "x" if step.stat.kind == "directory" else "r"
    if account.uid == step.stat.uid:
        return f"chmod u+{bit} {quote(step.path)}"
    if step.acl:
        return f"setfacl -m u:{account.name}:{bit} {quote(step.path)}"
    return f"chmod {'g' if step.stat.gid in account.groups else 'o'}+{bit} {quote(step.path)}"


@dataclass(frozen=True)
class AccessWalk:
    """Every component from `/` to the path, as far as it exists.

    A symlink is followed by the components of its target.
    """

    steps: tuple[AccessStep, ...]
    complete: bool

    @property
    def blocked(self) -> AccessStep | None:
        """The first directory above the path that denies access to the account."""
        above = self.steps[:-1] if self.complete else self.steps
        folders = (step for step in above if step.stat.kind == "directory")
        return next((step for step in folders if not step.passable), None)

    @property
    def last(self) -> AccessStep | None:
        """The path itself; None where it does not exist."""
        return self.steps[-1] if self.complete else None

    @property
    def can_read(self) -> bool:
        """Whether the account can read the file or list the directory."""
        return self.last is not None and self.blocked is None and self.last.readable

    @property
    def can_enter(self) -> bool:
        """Whether the account can enter the directory."""
        return self.last is not None and self.blocked is None and self.last.passable


def allows(st: Stat, acl: tuple[AclEntry, ...], account: Account, want: int) -> bool:
    """Whether `account` gets every bit of `want` on an inode; `acl` is empty without one."""
    if account.uid == 0:
        executable = st.kind == "directory" or bool(st.mode & 0o111)
        return not want & EXECUTE or executable
    if account.uid == st.uid:
        return _grants(st.mode >> 6, want)
    # Linux ignores the list where the mask, shown as the group's bits, is empty.
    if acl and st.mode & 0o070:
        return _allows_by_acl(st, acl, account, want)
    return _grants(st.mode >> 3 if st.gid in account.groups else st.mode, want)


def _grants(bits: int, want: int) -> bool:
    return bits & want == want


def _allows_by_acl(st: Stat, acl: tuple[AclEntry, ...], account: Account, want: int) -> bool:
    mask = mask_of(acl)
    for entry in acl:
        if entry.tag == USER and entry.id == account.uid:
            return _grants(entry.permissions & mask, want)
    groups = [entry for entry in acl if _is_group_of(entry, st, account)]
    if groups:
        return any(_grants(entry.permissions & mask, want) for entry in groups)
    return _grants(st.mode, want)


def _is_group_of(entry: AclEntry, st: Stat, account: Account) -> bool:
    if entry.tag == GROUP_OBJ:
        return st.gid in account.groups
    return entry.tag == GROUP and entry.id in account.groups


def can_enter(account: Account, uid: int, gid: int, mode: int) -> bool:
    """Whether a directory of this owner and mode, without an ACL, lets `account` in."""
    if account.uid == 0:
        return True
    if account.uid == uid:
        return bool(mode & 0o100)
    return bool(mode & (0o010 if gid in account.groups else 0o001))


def walk_as(path: str, account: Account) -> AccessWalk:
    """Check `/` and every component down to `path`, symlinks followed as the kernel does.

    Only names are opened, so a link redirects nothing.
    Errors: OSError where this process itself is denied.
    """
    walker = _AccessWalker(account)
    try:
        return AccessWalk(walker.walk(path), complete=walker.complete)
    except PermissionError:
        # What denies this process also denies the account, if a step shows that.
        if all(step.passable for step in walker.steps):
            raise
        return AccessWalk(tuple(walker.steps), complete=False)


class _AccessWalker:
    """Walks physical paths: a name is examined only below directories that are no links."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self.steps: list[AccessStep] = []
        self.complete = True
        self._links = 0

    def walk(self, path: str) -> tuple[AccessStep, ...]:
        """The steps to `path`; ends at the first one that does not exist."""
        here, names = "/", components(path)[::-1]
        self._step(here)
        while names and self.complete:
            name = names.pop()
            if name == "..":
                here = dirname(here)
                continue
            target = self._step(join(here, name))
            if target is None:
                here = join(here, name)
            else:
                names += reversed(components(target))
                here = "/" if target.startswith("/") else here
        return tuple(self.steps)

    def _step(self, path: str) -> str | None:
        """Add the step; the target of a symlink, None for anything else."""
        with _pinned(path, follow=False) as pin:
            if pin is None:
                self.complete = False
                return None
            found = check_step(path, pin, self._account)
            self.steps.append(found)
            if found.stat.kind != "symlink":
                return None
            self._links += 1
            if self._links > MOST_SYMLINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
            return os.readlink("", dir_fd=pin)


@contextmanager
def _pinned(path: str, *, follow: bool = True) -> Iterator[int | None]:
    """The inode of `path`, pinned; None where it is absent."""
    try:
        with pin_name(path, follow=follow) as at:
            pinned = at.pinned()
    except (FileNotFoundError, NotADirectoryError):
        yield None
        return
    with pinned as pin:
        yield pin


def check_step(path: str, pin: int, account: Account) -> AccessStep:
    """What `account` can do with one pinned inode."""
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
