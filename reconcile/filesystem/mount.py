"""The filesystem of a path: its type, whether it is mounted read-only, whether it is full.

Source: proc(5), /proc/PID/mountinfo: the last mount over the longest mount point.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from posixpath import dirname
from typing import NamedTuple

from reconcile.filesystem.host_error import explained
from reconcile.filesystem.path import is_inside, relative_to
from reconcile.filesystem.safe_path import closing, pin_name
from reconcile.filesystem.statx import mount_of

LEAST_BYTES = 1 << 20
MOUNT_ID = b"mnt_id:"
_ESCAPED = re.compile(r"\\([0-7]{3})")


class Mount(NamedTuple):
    """One mount: `root` is the path inside of its filesystem that is seen at `point`."""

    id: int
    root: str
    point: str
    options: tuple[str, ...]
    filesystem: str
    """Its type, such as ext4."""
    super_options: tuple[str, ...]


def mount_id(fd: int) -> int:
    """The mount that a descriptor is on; each bind mount of a filesystem has its own.

    Source: proc_pid_fdinfo(5), where statx(2) does not know it.
    """
    if (found := mount_of(fd)) is not None:
        return found
    with closing(os.open(f"/proc/self/fdinfo/{fd}", os.O_RDONLY | os.O_CLOEXEC)) as info:
        text = os.read(info, 4096)
    return int(text.partition(MOUNT_ID)[2].split(None, 1)[0])


def read_mounts(process: str = "thread-self") -> tuple[Mount, ...]:
    """Every mount that a process sees, in the order in which they were made. Errors: OSError."""
    with open(f"/proc/{process}/mountinfo", encoding="utf-8", errors="surrogateescape") as lines:
        return tuple(_mount(line) for line in lines)


def _mount(line: str) -> Mount:
    before, _, after = line.rstrip("\n").partition(" - ")
    number, _, _, root, point, options, *_ = before.split(" ")
    filesystem, _, super_options = (*after.split(" "), "", "")[:3]
    return Mount(
        int(number),
        _unescaped(root),
        _unescaped(point),
        tuple(options.split(",")),
        filesystem,
        tuple(super_options.split(",")),
    )


def _unescaped(path: str) -> str:
    """A name of any bytes, where blanks and backslashes are written as octal numbers."""
    return _ESCAPED.sub(lambda match: chr(int(match[1], 8)), path) if "\\" in path else path


def mount_points(path: str) -> tuple[str, ...]:
    """Where something is mounted below `path`, links resolved, and at it as "". Errors: OSError."""
    real = os.path.realpath(path)
    found = (relative_to(one.point, real) for one in read_mounts() if is_inside(one.point, real))
    return tuple(sorted({one or "" for one in found}))


def filesystem_type(path: str) -> str:
    """The type of the filesystem that `path` is on, "" where it is unknown."""
    found = find_mount(read_mounts("self"), path)
    return found.filesystem if found else ""


def is_read_only(pid: int, path: str) -> bool | None:
    """Whether `path`, which has no links, is on a read-only mount for a process; None: unknown."""
    with suppress(OSError):
        return is_mounted_read_only(read_mounts(str(pid)), path)
    return None


def is_mounted_read_only(mounts: Sequence[Mount], path: str) -> bool | None:
    """Whether `path`, which has no links, is on a read-only one of `mounts`; None: unknown."""
    found = find_mount(mounts, path)
    return found and ("ro" in found.options or "ro" in found.super_options)


def find_mount(mounts: Sequence[Mount], path: str) -> Mount | None:
    """The one of `mounts` that `path`, which has no links, is on; None: unknown."""
    best: Mount | None = None
    for mount in mounts:
        is_longer = best is None or len(mount.point) >= len(best.point)
        if is_longer and is_inside(path, mount.point):
            best = mount
    return best


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
