"""Evidence in familiar forms: directives, and the output of namei."""

from __future__ import annotations

from stat import filemode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconcile.filesystem.access_walk import AccessStep, AccessWalk
    from reconcile.nginx.model.config_tree import ConfigTree, Directive
    from reconcile.system.accounts import Accounts

_KINDS = {"directory": "d", "file": "-", "symlink": "l", "other": "?"}


def directive_evidence(directive: Directive) -> str:
    """A directive with its file and line: `/etc/nginx/x.conf:7: alias /srv/static/;`."""
    return f"{directive.place}: {directive.name} {directive.args[0]};"


def directive_text(tree: ConfigTree, directive: Directive) -> str:
    """A directive or a whole block as its file has it, on one line."""
    data = tree.files[directive.file].data[directive.start : directive.end]
    return " ".join(data.decode("utf-8", "replace").split())


def namei(walk: AccessWalk, accounts: Accounts) -> tuple[str, ...]:
    """Each component of a path as `namei -l` prints it; the one that denies access is marked."""
    return tuple(_namei_line(step, step is walk.blocked, accounts) for step in walk.steps)


def _namei_line(step: AccessStep, is_blocked: bool, accounts: Accounts) -> str:
    st = step.stat
    owner = f"{accounts.user_name(st.uid)} {accounts.group_name(st.gid)}"
    line = f"{_KINDS[st.kind]}{filemode(st.mode)[1:]} {owner} {step.path}"
    return f"{line}  <- no x here" if is_blocked else line
