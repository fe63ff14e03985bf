"""The readings of this host that collectors fetch: one file for each host name and scope."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from reconcile.filesystem.shared_dir import SharedDir
from reconcile.output.json import to_json
from reconcile.system.accounts import UnknownAccount

if TYPE_CHECKING:
    from reconcile.output.reading_documents import ReadingDocument
    from reconcile.system import Host

GROUP = "reconcile-readers"
SUFFIX = ".json"
MOST_FILES = 10
"""A host that was renamed leaves files of its old names."""
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9._-]")


def readings_path(host: Host) -> str:
    """Where readings are left by default: beside the state directory, which no one may enter."""
    return f"{host.state.path}-readings"


def readings_dir(host: Host, path: str) -> SharedDir:
    """The directory `path` for readings; the group of readers may enter it where it exists."""
    return SharedDir(path, _readers(host))


def missing_group_note(host: Host, path: str) -> str:
    """A note where only root can read the readings in `path`; "" where the group exists."""
    if _readers(host) is not None:
        return ""
    return (
        f"Only root can read the results in {path}: there is no group {GROUP}."
        f" Collectors need it: groupadd --system {GROUP}"
    )


def leave_reading(host: Host, path: str, reading: ReadingDocument) -> None:
    """Write `reading` to the directory `path`. Errors: HostError."""
    directory = readings_dir(host, path)
    name = _NOT_PLAIN.sub("_", reading.host).lstrip(".")[:100] or "host"
    name += f".{reading.scope}" if reading.scope else ""
    directory.write(name + SUFFIX, (to_json(reading) + "\n").encode())
    directory.keep_newest(SUFFIX, MOST_FILES)


def _readers(host: Host) -> int | None:
    """The group of readers; None where it does not exist, or only root can give files to it."""
    try:
        return host.accounts.group(GROUP) if host.privileged else None
    except UnknownAccount:
        return None
