"""Side effects of a change on access control lists and capabilities, reported beforehand."""

from __future__ import annotations

from collections.abc import Sequence

from reconcile.engine.model import Finding
from reconcile.filesystem.acl import GrantChange, GrantChanges, rwx
from reconcile.system import Host

MAX_PATHS = 5
"""Paths named in a finding."""


def describe_grants(host: Host, grants: Sequence[GrantChange]) -> str:
    """`user:bob rwx -> r-x`, for each."""
    return ", ".join(
        f"{_grantee(host, grant)} {rwx(grant.before)} -> {rwx(grant.after)}" for grant in grants
    )


def acl_finding(path: str, grants: str) -> Finding:
    """That the new mode of `path` changes what its ACL grants."""
    return Finding(
        "acl-mask",
        "note",
        f"The mode of {path} is also the mask of its ACL, so the new mode changes what the ACL"
        f" grants: {grants}.",
    )


def describe_grants_below(host: Host, changes: Sequence[GrantChanges]) -> tuple[str, ...]:
    """A line for each of the first paths, and how many more there are."""
    lines = [f"{path}: {describe_grants(host, grants)}" for path, grants in changes[:MAX_PATHS]]
    more = [f"and {len(changes) - MAX_PATHS} more"] if len(changes) > MAX_PATHS else []
    return (*lines, *more)


def acl_finding_below(root: str, grants: tuple[str, ...]) -> Finding:
    """The same of what is below `root`."""
    what = f"In {root}, modes are also the masks of ACLs, so new modes change what the ACLs grant."
    return Finding("acl-mask", "note", what, grants)


def capability_finding(path: str) -> Finding:
    """That new content does not keep the capabilities of the old."""
    return Finding(
        "capabilities-dropped",
        "note",
        f"{path} gets new content and loses its capabilities, which the kernel drops on any write.",
        fix=f"If the new content needs them, run setcap on {path} afterwards.",
    )


def _grantee(host: Host, grant: GrantChange) -> str:
    if grant.is_group:
        return f"group:{host.accounts.group_name(grant.id)}"
    return f"user:{host.accounts.user_name(grant.id)}"
