"""What all kinds that are paths share."""

from __future__ import annotations

from reconcile.engine.resource import Ref
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.inode import FileKind
from reconcile.filesystem.path import ancestors
from reconcile.system import Host

ARTICLES: dict[FileKind, str] = {
    "file": "a file",
    "directory": "a directory",
    "symlink": "a symlink",
    "other": "neither a file nor a directory",
}


def octal(mode: int) -> str:
    """A mode as people write it: "0644"."""
    return f"{mode:04o}"


def ownership(user: str | None, group: str | None, mode: int | None = None) -> str:
    """Owner and mode in one go, "www-data:www-data 0755"; of each only what is managed."""
    owner = f"{user or ''}:{group or ''}" if user or group else ""
    return " ".join(part for part in (owner, "" if mode is None else octal(mode)) if part)


def folders_above(path: str) -> frozenset[Ref]:
    """The directory resources above `path`."""
    return frozenset(Ref("directory", folder) for folder in ancestors(path))


def owner_ids(host: Host, user: str | None, group: str | None) -> tuple[int, int]:
    """uid and gid; where unnamed, those of who applies. Errors: UnknownAccount."""
    me = host.accounts.current
    uid = me.uid if user is None else host.accounts.user(user).uid
    gid = me.gid if group is None else host.accounts.group(group)
    return uid, gid


def refuse_unknown_owner(host: Host, user: str | None, group: str | None) -> None:
    """For every reading: an owner without an account fails the plan, not the apply."""
    owner_ids(host, user, group)


def wrong_kind(path: str, there: FileKind, wanted: FileKind) -> HostError:
    """What stands there is not ours to throw away."""
    return HostError(
        what=f"{path} is {ARTICLES[there]}, and the YAML wants {ARTICLES[wanted]} there",
        why="it is not reconcile's, so it is not removed to make room",
        fix=f"Move {path} away, or name another path in the YAML.",
    )
