"""On what kind of filesystem a path lies, and whether it can be written there.

Source: proc(5), /proc/PID/mountinfo: the last mount over the longest mount point.
"""

from __future__ import annotations

from contextlib import suppress


def filesystem_of(path: str) -> str:
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
