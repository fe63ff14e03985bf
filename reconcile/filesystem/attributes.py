"""Owner, mode and extended attributes of a pinned inode."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from reconcile.filesystem.inode import Ownership

ACL = "system.posix_acl_access"
DEFAULT_ACL = "system.posix_acl_default"
CAPABILITY = "security.capability"
AFFECTED = (ACL, CAPABILITY)
"""What chmod (an ACL's mask) and chown (a program's capabilities) change as a side effect."""
ABSENT = {errno.ENODATA, errno.ENOTSUP}


def fd_path(fd: int) -> str:
    """A path to exactly the inode of `fd`, for calls that refuse an O_PATH descriptor."""
    return f"/proc/self/fd/{fd}"


def read_attribute(fd: int, name: str) -> bytes | None:
    """The extended attribute `name`; None where the inode or its filesystem has none."""
    return _get(fd_path(fd), name)


def read_attribute_at(dir_fd: int, name: str, attribute: str) -> bytes | None:
    """The same of a name in an open directory; a symlink is not followed."""
    return _get(f"{fd_path(dir_fd)}/{name}", attribute, follow_symlinks=False)


def _get(path: str, name: str, *, follow_symlinks: bool = True) -> bytes | None:
    try:
        return os.getxattr(path, name, follow_symlinks=follow_symlinks)
    except OSError as error:
        if error.errno in ABSENT:
            return None
        raise


def affected_attributes(fd: int) -> dict[str, str]:
    """The attributes that `set_owner_and_mode` may change, in hex."""
    found = {name: read_attribute(fd, name) for name in AFFECTED}
    return {name: value.hex() for name, value in found.items() if value is not None}


def affected_attributes_at(dir_fd: int, name: str) -> dict[str, str]:
    """The same of a name in an open directory; a symlink is not followed. Errors: OSError."""
    listed = os.listxattr(f"{fd_path(dir_fd)}/{name}", follow_symlinks=False)
    found = {one: read_attribute_at(dir_fd, name, one) for one in AFFECTED if one in listed}
    return {one: value.hex() for one, value in found.items() if value is not None}


def all_attributes(fd: int) -> dict[str, str]:
    """Every attribute, in hex: SELinux labels, default ACLs, users' own."""
    found = {name: read_attribute(fd, name) for name in os.listxattr(fd_path(fd))}
    return {name: value.hex() for name, value in found.items() if value is not None}


def restore_attributes(fd: int, attributes: Mapping[str, str]) -> None:
    """Set those of `attributes` (in hex) that differ now."""
    for name, value in attributes.items():
        if read_attribute(fd, name) != bytes.fromhex(value):
            _set_attribute(fd, name, bytes.fromhex(value))


def set_owner_and_mode(fd: int, uid: int, gid: int, mode: int) -> None:
    """Give the pinned inode this owner and exactly this mode, keeping its capabilities.

    In between, whoever can read it before and after can read it, and who cannot does not.
    """
    st = os.fstat(fd)
    is_given = (st.st_uid, st.st_gid) != (uid, gid)
    capability = read_attribute(fd, CAPABILITY) if is_given and stat.S_ISREG(st.st_mode) else None
    change_owner_and_mode(fd, Ownership.of(st), Ownership(uid, gid, mode), capability)


def change_owner_and_mode(
    fd: int, now: Ownership, wanted: Ownership, capability: bytes | None = None
) -> None:
    """The same for an inode that was just found to be `now`, with that capability."""
    path, mode = fd_path(fd), now.mode
    if now[:2] != wanted[:2]:
        mode = mode_for_both(now, wanted)
        if mode != now.mode:
            os.chmod(path, mode)
        os.chown(path, wanted.uid, wanted.gid)
        if capability is not None:
            os.setxattr(path, CAPABILITY, capability)
    # After chown, which clears setuid and setgid.
    if mode != wanted.mode:
        os.chmod(path, wanted.mode)


@lru_cache
def mode_for_both(before: Ownership, after: Ownership) -> int:
    """The mode during a change of owner: it holds for the old owner and group, and the new ones."""
    return after.mode if can_set_mode_first(before, after) else _common_mode(before, after)


def can_set_mode_first(before: Ownership, after: Ownership) -> bool:
    """Whether the new mode can be set before the owner: it opens and closes nothing by that.

    Whoever is owner, group or others before may be either of the two other ones afterwards.
    """
    if after.mode > 0o777:
        return False
    old, new = _classes(before.mode), _classes(after.mode)
    others = ((new[1], new[2]), (new[0], new[2]), (new[0], new[1]))
    return not any(
        is_now & ~(was | (one & other)) | was & (one | other) & ~is_now
        for was, is_now, (one, other) in zip(old, new, others, strict=True)
    )


def _classes(mode: int) -> tuple[int, int, int]:
    """The bits of the owner, the group and others."""
    return mode >> 6 & 7, mode >> 3 & 7, mode & 7


def _common_mode(before: Ownership, after: Ownership) -> int:
    old_group, old_others = before.mode >> 3 & 7, before.mode & 7
    new_group, new_others = after.mode >> 3 & 7, after.mode & 7
    owner = (before.mode | after.mode) & 0o700
    others = (old_group & old_others) | (new_group & new_others)
    if before.gid == after.gid:
        return owner | (old_group | new_group) << 3 | others
    return owner | ((old_group | old_others) & (new_group | new_others)) << 3 | others


def with_states_between(known: Iterable[Ownership]) -> frozenset[Ownership]:
    """What an inode can be found as whose change from one of `known` to another was killed.

    So can one whose return from there was killed, and so on.
    """
    found, ends = frozenset(known), frozenset(known)
    while True:
        between = {one for old in found for new in ends for one in _states_between(old, new)}
        if between <= found:
            return found
        found |= between


def _states_between(old: Ownership, new: Ownership) -> Iterator[Ownership]:
    if old[:2] != new[:2]:
        # An older version set the common mode in any case.
        for mode in {mode_for_both(old, new), _common_mode(old, new)}:
            yield old._replace(mode=mode)
            yield new._replace(mode=mode)


def copy_attributes(source: int, target: int) -> None:
    """Give `target` the extended attributes of `source`, except its capabilities.

    New content must not inherit the capabilities of the old: the kernel drops
    them on a write, too. Nor may the new file grant more than the old one did:
    where the directory has a default ACL, a new file gets one automatically.
    """
    if read_attribute(source, ACL) is None and read_attribute(target, ACL) is not None:
        os.removexattr(fd_path(target), ACL)
    for name in os.listxattr(fd_path(source)):
        if name == CAPABILITY:
            continue
        value = read_attribute(source, name)
        if value is not None and value != read_attribute(target, name):
            _set_attribute(target, name, value)


def _set_attribute(fd: int, name: str, value: bytes) -> None:
    try:
        os.setxattr(fd_path(fd), name, value)
    except PermissionError:
        # Only root can set security.* and trusted.*; a user's own copy does without them.
        if os.geteuid() == 0 or name.startswith(("user.", "system.")):
            raise
