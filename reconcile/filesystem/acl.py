"""What changes by the way: an access list with the mode, capabilities with the content.

The group bits of a mode are the mask of the list. Source: acl(5), "Correspondence
between ACL entries and file permission bits".
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from reconcile.filesystem.access_check import GROUP, MASK, USER, AclEntry, parse_acl
from reconcile.filesystem.attributes import ABSENT, ACL, CAPABILITY, fd_path, read_attribute
from reconcile.filesystem.openat import DirectoryCursor, directory_cursor
from reconcile.filesystem.permissions import GONE, PermissionDeviation, PermissionPolicy
from reconcile.filesystem.safe_path import pin_name


class GrantChange(NamedTuple):
    """What a list grants to a user or group by name, in rwx bits, before and after a chmod."""

    is_group: bool
    id: int
    before: int
    after: int


GrantChanges = tuple[str, tuple[GrantChange, ...]]
"""A path relative to a root, and every grant that changes there."""


def changed_grants(acl: Sequence[AclEntry], mode: int) -> tuple[GrantChange, ...]:
    """The named grants that become others when the inode gets `mode`."""
    mask, after = next((line.permissions for line in acl if line.tag == MASK), 0o7), mode >> 3 & 0o7
    return tuple(
        GrantChange(line.tag == GROUP, line.id, line.permissions & mask, line.permissions & after)
        for line in acl
        if line.tag in (USER, GROUP) and line.permissions & mask != line.permissions & after
    )


def masked_grants(path: str, mode: int) -> tuple[GrantChange, ...]:
    """The same of what `path` is or safely points to."""
    return changed_grants(parse_acl(_attribute_of(path, ACL)), mode)


def has_capabilities(path: str) -> bool:
    """Whether `path` is a program with powers of its own; the kernel drops them on a write."""
    return _attribute_of(path, CAPABILITY) is not None


def _attribute_of(path: str, name: str) -> bytes | None:
    with pin_name(path, follow=True) as at:
        pin = at.pin()
        try:
            return read_attribute(pin, name)
        finally:
            os.close(pin)


def masked_grants_below(
    root: str, rule: PermissionPolicy, deviations: Sequence[PermissionDeviation]
) -> Iterator[GrantChanges]:
    """The same of those of `deviations` that have such a list."""
    with directory_cursor(root) as way:
        for found in deviations:
            mode = rule.directory_mode if found.is_directory else rule.file_mode
            if (found.mode ^ mode) & 0o070:
                grants = changed_grants(parse_acl(_acl_below(way, found.path)), mode)
                if grants:
                    yield found.path, grants


def _acl_below(way: DirectoryCursor, path: str) -> bytes | None:
    """None where it has no list, and where it has gone."""
    folder, _, name = path.rpartition("/")
    try:
        above = fd_path(way.enter(folder)[0])
        return os.getxattr(f"{above}/{name}", ACL, follow_symlinks=False)
    except OSError as error:
        if error.errno in GONE | ABSENT:
            return None
        raise
