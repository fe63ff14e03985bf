"""Commands that give an account the access it lacks, and nobody else any.

Source: acl(5), setfacl(1).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from functools import reduce
from operator import or_
from shlex import quote

from reconcile.filesystem.access_check import Account
from reconcile.filesystem.access_walk import AccessStep, is_hidden_from
from reconcile.filesystem.acl import GROUP, GROUP_OBJ, USER, mask_of, rwx

_PRIVATE = re.compile(
    r"^/(?:root(?:/.*)?|home/[^/]+|var/lib/(?:docker|containers)(?:/.*)?|etc/letsencrypt(?:/.*)?)?$"
)

_MASKED = (USER, GROUP, GROUP_OBJ)


def grant_commands(steps: Iterable[AccessStep], account: Account, *, bits: str = "") -> str:
    """The commands that let `account` pass these directories, and read these files.

    `bits`: others than x for a directory and r for a file. What is private as a whole is opened to
    nobody: then the fix is to move what it holds.
    """
    found = list(steps)
    hidden = next((step.path for step in found if is_hidden_from(account, step.path)), None)
    if hidden is not None:
        return (
            f"systemctl edit {account.unit}: remove the setting that hides {quote(hidden)}"
            " (ProtectHome=, InaccessiblePaths=, TemporaryFileSystem=), then restart it."
        )
    private = next((step.path for step in found if _PRIVATE.match(step.path)), None)
    if private is not None:
        return f"Move the files out of {private}, for example to /var/www or /srv."
    return " && ".join(grant_command(step, account, bits=bits) for step in found)


def grant_command(step: AccessStep, account: Account, *, bits: str = "") -> str:
    """The narrowest command for one step: of the owner or its group, an ACL, else for all."""
    path = quote(step.path)
    bits = bits or ("x" if step.stat.kind == "directory" else "r")
    if account.uid == step.stat.uid:
        return f"chmod u+{bits} {path}"
    if step.stat.gid in account.groups and not step.acl:
        return f"chmod g+{bits} {path}"
    if step.acl or can_set_acls():
        command = f"setfacl {_acl_options(step, account, bits)} {path}"
        if _would_open_to_others(step, account, bits):
            return f"Remove from the list whom it should not open it to (getfacl {path}): {command}"
        return command
    return f"chmod o+{bits} {path}"


def _acl_options(step: AccessStep, account: Account, bits: str) -> str:
    entry = f"u:{quote(account.name)}:{bits}"
    named = (one.permissions for one in step.acl if one.tag in _MASKED)
    if not step.acl or reduce(or_, named, _value(bits)) == mask_of(step.acl):
        return f"-m {entry}"
    # Without -n setfacl computes the mask anew, which may revive what a chmod had closed.
    return f"-n -m {entry},m::{rwx(mask_of(step.acl) | _value(bits))}"


def _would_open_to_others(step: AccessStep, account: Account, bits: str) -> bool:
    """Whether a wider mask gives others of the list what a chmod had taken from them."""
    closed = _value(bits) & ~mask_of(step.acl)
    masked = (entry for entry in step.acl if entry.tag in _MASKED)
    return any(entry.permissions & closed for entry in masked if entry.id != account.uid)


def _value(bits: str) -> int:
    return sum(value for bit, value in (("r", 4), ("w", 2), ("x", 1)) if bit in bits)


def can_set_acls() -> bool:
    """Whether this machine has setfacl."""
    return any(os.access(f"{folder}/setfacl", os.X_OK) for folder in ("/usr/bin", "/bin"))
