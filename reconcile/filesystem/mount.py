"""On what kind of filesystem a path lies, and whether it can be written there.

Source: proc(5), /proc/PID/mountinfo: the last mount over the longest mount point.
"""

from __future__ import annotations

import os
from contextlib import suppress
from posixpath import dirname

from reconcile.filesystem.host_error import explained
from reconcile.filesystem.safe_path import pin_name


def filesystem_type(path: str) -> str:
    """The type of the filesystem that `path` lies on, "" where it cannot be told."""
    found = _mount_of("self", path)
    return found[1].split()[0] if found else ""


def is_read_only(pid: int, path: str) -> bool | None:
    """Whether a process sees `path`, without links, on a read-only mount; None: not known."""
    with suppress(OSError):
        if found := _mount_of(str(pid), path):
            by_mount, by_filesystem = found[0].split()[5], found[1].split()[2]
            return "ro" in by_mount.split(",") or "ro" in by_filesystem.split(",")
    return None


def _mount_of(process: str, path: str) -> tuple[str, str] | None:
    """The line of its mount, in the two parts that a dash divides."""
    best, line = "", ""
    with open(f"/proc/{process}/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        for mount in mounts:
            point = mount.split()[4]
            if f"{path}/".startswith(point.rstrip("/") + "/") and len(point) >= len(best):
                best, line = point, mount
    before, _, after = line.partition(" - ")
    return (before, after) if after else None


LEAST_BYTES = 1 << 20


def is_full(path: str) -> bool:
    """Whether less than 1 MiB, or no inode, is left where `path` lies or would lie.

    Errors: HostError where we may not look.
    """
    with explained(f"the room that is left at {path} cannot be told"):
        try:
            with pin_name(path, follow=True) as at:
                pin = at.pin()
        except (FileNotFoundError, NotADirectoryError):
            return is_full(dirname(path))
        try:
            found = os.fstatvfs(pin)
        finally:
            os.close(pin)
    # Some filesystems count no inodes.
    no_inode = found.f_files > 0 and found.f_favail == 0
    return found.f_bavail * found.f_frsize < LEAST_BYTES or no_inode
