"""What changes by the way: an access list with the mode, capabilities with the content.

The group bits of a mode are the mask of the list. Source: acl(5), "Correspondence
between ACL entries and file permission bits".
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from reconcile.filesystem.access_check import GROUP, MASK, USER, AclEntry, parse_acl
from reconcile.filesystem.attributes import ABSENT, ACL, CAPABILITY, attribute, by_descriptor
from reconcile.filesystem.openat import Descent, descent
from reconcile.filesystem.permissions import GONE, PermissionDeviation, PermissionPolicy
from reconcile.filesystem.safe_path import entry


class Grant(NamedTuple):
    """What a list grants to a user or group by name, in rwx bits, before and after a chmod."""

    is_group: bool
    id: int
    before: int
    after: int


Masked = tuple[str, tuple[Grant, ...]]
"""A path relative to a root, and every grant that changes there."""


def changed_grants(acl: Sequence[AclEntry], mode: int) -> tuple[Grant, ...]:
    """The named grants that become others when the inode gets `mode`."""
    mask, after = next((line.bits for line in acl if line.tag == MASK), 0o7), mode >> 3 & 0o7
    return tuple(
        Grant(line.tag == GROUP, line.id, line.bits & mask, line.bits & after)
        for line in acl
        if line.tag in (USER, GROUP) and line.bits & mask != line.bits & after
    )


def masked(path: str, mode: int) -> tuple[Grant, ...]:
    """The same of what `path` is or safely points to."""
    return changed_grants(parse_acl(_attribute_of(path, ACL)), mode)


def has_capabilities(path: str) -> bool:
    """Whether `path` is a program with powers of its own; the kernel drops them on a write."""
    return _attribute_of(path, CAPABILITY) is not None


def _attribute_of(path: str, name: str) -> bytes | None:
    with entry(path, follow=True) as at:
        pin = at.pin()
        try:
            return attribute(pin, name)
        finally:
            os.close(pin)


def masked_below(
    root: str, rule: PermissionPolicy, deviations: Sequence[PermissionDeviation]
) -> Iterator[Masked]:
    """The same of those of `deviations` that have such a list."""
    with descent(root) as way:
        for found in deviations:
            mode = rule.dirs if found.is_directory else rule.files
            if (found.mode ^ mode) & 0o070:
                grants = changed_grants(parse_acl(_acl_below(way, found.path)), mode)
                if grants:
                    yield found.path, grants


def _acl_below(way: Descent, path: str) -> bytes | None:
    """None where it has no list, and where it has gone."""
    folder, _, name = path.rpartition("/")
    try:
        above = by_descriptor(way.to(folder)[0])
        return os.getxattr(f"{above}/{name}", ACL, follow_symlinks=False)
    except OSError as error:
        if error.errno in GONE | ABSENT:
            return None
        raise
