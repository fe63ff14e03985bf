"""What a change does by the way, to be told before it is made."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from reconcile.engine.model import Finding
from reconcile.system import Host

if TYPE_CHECKING:
    from reconcile.filesystem.acl import GrantChange, GrantChanges

NAMED = 5
"""Paths named in a finding."""


def grants_told(host: Host, grants: Sequence[GrantChange]) -> str:
    """`user:bob rwx -> r-x`, for each."""
    return ", ".join(
        f"{_whose(host, grant)} {_bits(grant.before)} -> {_bits(grant.after)}" for grant in grants
    )


def mask_finding(path: str, told: str) -> Finding:
    """That the new mode of `path` changes what its access list grants."""
    return Finding(
        "acl-mask",
        "note",
        f"The mode of {path} is the mask of its access list (ACL) too, so the new one changes what"
        f" that grants: {told}.",
    )


def masks_told(host: Host, masked: Sequence[GrantChanges]) -> tuple[str, ...]:
    """A line for each of the first, and how many there are more."""
    lines = [f"{path}: {grants_told(host, grants)}" for path, grants in masked[:NAMED]]
    more = [f"and {len(masked) - NAMED} more"] if len(masked) > NAMED else []
    return (*lines, *more)


def masks_finding(root: str, told: tuple[str, ...]) -> Finding:
    """The same of what lies below `root`."""
    what = f"Below {root} new modes are the masks of access lists (ACL) too, and change what"
    return Finding("acl-mask", "note", f"{what} those grant.", told)


def capability_finding(path: str) -> Finding:
    """That new content has not earned the capabilities of the old."""
    return Finding(
        "capabilities-dropped",
        "note",
        f"{path} gets new content and loses its capabilities, as by any write: the kernel would"
        " take them away too.",
        fix=f"Where the new content is to have them, too, run setcap on {path} afterwards.",
    )


def _whose(host: Host, grant: GrantChange) -> str:
    if grant.is_group:
        return f"group:{host.accounts.group_name(grant.id)}"
    return f"user:{host.accounts.user_name(grant.id)}"


def _bits(bits: int) -> str:
    return "".join(letter if bits & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))
