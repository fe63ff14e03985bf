"""The filesystem of a path: its type, whether it is mounted read-only, whether it is full.

Source: proc(5), /proc/PID/mountinfo: the last mount over the longest mount point.
"""

from __future__ import annotations

import os
from contextlib import suppress
from posixpath import dirname

from reconcile.filesystem.host_error import explained
from reconcile.filesystem.path import is_inside
from reconcile.filesystem.safe_path import pin_name

LEAST_BYTES = 1 << 20


def filesystem_type(path: str) -> str:
    """The type of the filesystem that `path` is on, "" where it is unknown."""
    found = _mount_of("self", path)
    return found[1].split()[0] if found else ""


def is_read_only(pid: int, path: str) -> bool | None:
    """Whether `path`, which has no links, is on a read-only mount for a process; None: unknown."""
    with suppress(OSError):
        if found := _mount_of(str(pid), path):
            by_mount, by_filesystem = found[0].split()[5], found[1].split()[2]
            return "ro" in by_mount.split(",") or "ro" in by_filesystem.split(",")
    return None


def _mount_of(process: str, path: str) -> tuple[str, str] | None:
    """The line of its mount, in the two parts that a dash separates."""
    best, line = "", ""
    with open(f"/proc/{process}/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        for mount in mounts:
            point = mount.split()[4]
            if is_inside(path, point) and len(point) >= len(best):
                best, line = point, mount
    before, _, after = line.partition(" - ")
    return (before, after) if after else None


def is_full(path: str) -> bool:
    """Whether less than 1 MiB, or no inode, is left where `path` is or would be.

    Errors: HostError where that cannot be read.
    """
    with explained(f"the free space at {path} cannot be read"):
        try:
            with pin_name(path, follow=True) as at, at.pinned() as pin:
                found = os.fstatvfs(pin)
        except (FileNotFoundError, NotADirectoryError):
            return is_full(dirname(path))
    # Some filesystems count no inodes.
    no_inode = found.f_files > 0 and found.f_favail == 0
    return found.f_bavail * found.f_frsize < LEAST_BYTES or no_inode
