"""Who can enter, read and write: the kernel's own decision, computed for any account.

Source: acl(5), "Access check algorithm"; path_resolution(7).
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence

from reconcile.dataclass import dataclass
from reconcile.filesystem.acl import GROUP, GROUP_OBJ, USER, AclEntry, mask_of, parse_acl
from reconcile.filesystem.attributes import ACL, read_attribute
from reconcile.filesystem.inode import Stat
from reconcile.filesystem.pin_to_read import pin_to_read

READ, WRITE, EXECUTE = 4, 2, 1
_DAC_OVERRIDE, _DAC_READ_SEARCH = 1 << 1, 1 << 2


@dataclass(frozen=True)
class MappedIds:
    """The ids of our user namespace that another one has too.

    Capabilities there count for files whose owner and group are among them.
    Source: user_namespaces(7), "Effect of capabilities within a user namespace".
    """

    uids: tuple[range, ...]
    gids: tuple[range, ...]

    def has(self, uid: int, gid: int) -> bool:
        """Whether it has the owner and the group of a file."""
        return any(uid in ids for ids in self.uids) and any(gid in ids for ids in self.gids)


@dataclass(frozen=True)
class Account:
    """A user with every group that counts when the kernel decides.

    Of a running process also its effective `capabilities` (None: those that the uid implies), the
    `mapped` ids of its user namespace (None: it is in ours), the directory where its paths start
    (`/proc/PID/root` for another mount namespace than ours), and the `unit` that gave it that
    namespace.
    """

    name: str
    uid: int
    gid: int
    groups: frozenset[int]
    capabilities: int | None = None
    root: str = "/"
    unit: str = ""
    mapped: MappedIds | None = None

    def overrides(self, want: int, uid: int, gid: int) -> bool:
        """Whether it gets `want` whatever the mode of a directory or a file's data is."""
        if self.mapped is not None and not self.mapped.has(uid, gid):
            return False
        if self.capabilities is None:
            return self.uid == 0
        return bool(self.capabilities & _DAC_OVERRIDE) or (
            bool(self.capabilities & _DAC_READ_SEARCH) and not want & WRITE
        )


def allows(st: Stat, acl: tuple[AclEntry, ...], account: Account, want: int) -> bool:
    """Whether `account` gets every bit of `want` on an inode; `acl` is empty without one."""
    if account.overrides(want, st.uid, st.gid) and (
        st.kind == "directory" or not want & EXECUTE or st.mode & 0o111
    ):
        return True
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
    if account.overrides(EXECUTE, uid, gid):
        return True
    if account.uid == uid:
        return bool(mode & 0o100)
    return bool(mode & (0o010 if gid in account.groups else 0o001))


def may_access(path: str, accounts: Sequence[Account], want: int) -> list[bool]:
    """For each account whether it has `want` on the inode itself; False where it is absent."""
    try:
        with pin_to_read(path, follow=True) as at:
            pinned = at.pinned()
    except (FileNotFoundError, NotADirectoryError):
        return [False] * len(accounts)
    with pinned as pin:
        st, acl = access_facts(pin)
        return [allows(st, acl, account, want) for account in accounts]


def access_facts(pin: int) -> tuple[Stat, tuple[AclEntry, ...]]:
    """What decides about the access to a pinned inode; a symlink has no ACL."""
    found = os.fstat(pin)
    acl = () if stat.S_ISLNK(found.st_mode) else parse_acl(read_attribute(pin, ACL))
    return Stat.of(found), acl
