"""Evidence in the forms that people know: namei's walk, counted examples, quoted commands."""

from __future__ import annotations

from collections.abc import Sequence, Sized
from shlex import quote
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconcile.filesystem.access_check import AccessStep, AccessWalk
    from reconcile.nginx.model.tree import Directive
    from reconcile.system.accounts import Account, Accounts

_KINDS = {"directory": "d", "file": "-", "symlink": "l", "other": "?"}
SHOWN = 3


def counted(things: Sized, noun: str) -> str:
    """`1 file`, `3 files`."""
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def directive_evidence(directive: Directive) -> str:
    """A directive with its file and line: `/etc/nginx/x.conf:7: alias /srv/static/;`."""
    return f"{directive.place}: {directive.name} {directive.args[0]};"


def namei(walk: AccessWalk, accounts: Accounts) -> tuple[str, ...]:
    """The way down as `namei -l` tells it, with what stops the account."""
    return tuple(_line(step, step is walk.blocked, accounts) for step in walk.steps)


def _line(step: AccessStep, stops: bool, accounts: Accounts) -> str:
    st = step.stat
    owner = f"{accounts.user_name(st.uid)} {accounts.group_name(st.gid)}"
    told = f"{_KINDS[st.kind]}{_rwx(st.mode)} {owner} {step.path}"
    return f"{told}  <- no x here" if stops else told


def _rwx(mode: int) -> str:
    return "".join(
        letter if mode & bit else "-"
        for letter, bit in zip("rwxrwxrwx", (1 << n for n in range(8, -1, -1)), strict=True)
    )


def examples(paths: Sequence[str]) -> str:
    """The first few, and how many more there are."""
    more = f" and {len(paths) - SHOWN} more" if len(paths) > SHOWN else ""
    return ", ".join(paths[:SHOWN]) + more


def grant_command(step: AccessStep, account: Account, accounts: Accounts, bits: str) -> str:
    """The smallest command that gives `account` these bits (`x`, `r`, `rX`) on one component."""
    if account.uid == step.stat.uid:
        return f"chmod u+{bits} {quote(step.path)}"
    if step.stat.gid in account.groups:
        return f"chmod g+{bits} {quote(step.path)}"
    if bits == "x":
        return f"chmod o+x {quote(step.path)}"
    return f"setfacl -m u:{accounts.user_name(account.uid)}:{bits} {quote(step.path)}"
