"""Access control lists, and what a change of a mode or of a content does to a file as well.

The group bits of a mode are the mask of its list. Source: acl(5), "Correspondence
between ACL entries and file permission bits".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from reconcile.filesystem.attributes import (
    ACL,
    CAPABILITY,
    DEFAULT_ACL,
    read_attribute,
    read_attribute_at,
)
from reconcile.filesystem.openat import GONE, DirectoryCursor, directory_cursor
from reconcile.filesystem.safe_path import pin_name

if TYPE_CHECKING:
    from reconcile.filesystem.permissions import PermissionDeviation, PermissionPolicy

USER_OBJ, USER, GROUP_OBJ, GROUP, MASK, OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
VERSION = struct.Struct("<I")
ENTRY = struct.Struct("<HHI")


class AclEntry(NamedTuple):
    """One entry of a list: whom it concerns (tag and id), and the rwx bits that it grants."""

    tag: int
    permissions: int
    id: int


class GrantChange(NamedTuple):
    """What a list grants to a user or group by name, in rwx bits, before and after a chmod."""

    is_group: bool
    id: int
    before: int
    after: int


GrantChanges = tuple[str, tuple[GrantChange, ...]]
"""A path relative to a root, and every grant that changes there."""


def parse_acl(value: bytes | None) -> tuple[AclEntry, ...]:
    """The entries of a system.posix_acl_access attribute; none where there is no attribute."""
    if not value:
        return ()
    return tuple(AclEntry(*fields) for fields in ENTRY.iter_unpack(value[VERSION.size :]))


def mask_of(acl: Sequence[AclEntry]) -> int:
    """The bits that a list grants at most to named users and groups."""
    return next((entry.permissions for entry in acl if entry.tag == MASK), 0o7)


def rwx(bits: int) -> str:
    """Three permission bits as ls and getfacl write them: `r-x`."""
    return "".join(letter if bits & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))


def changed_grants(acl: Sequence[AclEntry], mode: int) -> tuple[GrantChange, ...]:
    """The named grants that change when the inode gets `mode`."""
    mask, after = mask_of(acl), mode >> 3 & 0o7
    return tuple(
        GrantChange(
            entry.tag == GROUP, entry.id, entry.permissions & mask, entry.permissions & after
        )
        for entry in acl
        if entry.tag in (USER, GROUP) and entry.permissions & mask != entry.permissions & after
    )


def masked_grants(path: str, mode: int) -> tuple[GrantChange, ...]:
    """The same for what `path` is or safely points to."""
    return changed_grants(parse_acl(_attribute_of(path, ACL)), mode)


def default_acl(path: str) -> tuple[AclEntry, ...]:
    """What a directory gives to new names in it; empty without a default list."""
    return parse_acl(_attribute_of(path, DEFAULT_ACL))


def has_capabilities(path: str) -> bool:
    """Whether `path` is a program with capabilities; the kernel drops them on a write."""
    return _attribute_of(path, CAPABILITY) is not None


def _attribute_of(path: str, name: str) -> bytes | None:
    with pin_name(path, follow=True) as at, at.pinned() as pin:
        return read_attribute(pin, name)


def masked_grants_below(
    root: str, policy: PermissionPolicy, deviations: Sequence[PermissionDeviation]
) -> Iterator[GrantChanges]:
    """The same for those of `deviations` that have such a list."""
    with directory_cursor(root) as cursor:
        for found in deviations:
            mode = policy.mode(found.is_directory)
            if found.attributes != () and (found.mode ^ mode) & 0o070:
                grants = changed_grants(parse_acl(_acl_of(cursor, found)), mode)
                if grants:
                    yield found.path, grants


def _acl_of(cursor: DirectoryCursor, found: PermissionDeviation) -> bytes | None:
    """None where it has no list, and where it is gone."""
    if found.attributes is not None:
        return bytes.fromhex(dict(found.attributes).get(ACL, ""))
    try:
        at = cursor.name(found.path)
        return read_attribute_at(at.dir_fd, at.name, ACL)
    except OSError as error:
        if error.errno in GONE:
            return None
        raise
