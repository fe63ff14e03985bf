"""Evidence in the forms that people know: namei's walk, counted examples, quoted commands."""

from __future__ import annotations

import shlex
from collections.abc import Sequence, Sized
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconcile.filesystem.access import AccessStep, AccessWalk
    from reconcile.system.accounts import Account, Accounts

_KINDS = {"directory": "d", "file": "-", "symlink": "l", "other": "?"}
SHOWN = 3


def counted(things: Sized, noun: str) -> str:
    """`1 file`, `3 files`."""
    return f"{len(things)} {noun}{'' if len(things) == 1 else 's'}"


def quoted(path: str) -> str:
    """`path` as a shell takes it."""
    return shlex.quote(path)


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


def grant(step: AccessStep, account: Account, accounts: Accounts, bits: str) -> str:
    """The smallest command that gives `account` these bits (`x`, `r`, `rX`) on one component."""
    if account.uid == step.stat.uid:
        return f"chmod u+{bits} {quoted(step.path)}"
    if step.stat.gid in account.groups:
        return f"chmod g+{bits} {quoted(step.path)}"
    if bits == "x":
        return f"chmod o+x {quoted(step.path)}"
    return f"setfacl -m u:{accounts.user_name(account.uid)}:{bits} {quoted(step.path)}"
