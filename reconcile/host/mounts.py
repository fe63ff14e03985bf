"""What kind of filesystem a path lies on."""

from __future__ import annotations


def filesystem_of(path: str) -> str:
    """The type of the filesystem that `path` lies on, "" where it cannot be told.

    Source: proc(5), /proc/self/mountinfo: the last mount over the longest mount point.
    """
    best, kind = "", ""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as mounts:
        for line in mounts:
            before, _, after = line.partition(" - ")
            point = before.split()[4]
            if f"{path}/".startswith(point.rstrip("/") + "/") and len(point) >= len(best):
                best, kind = point, after.split()[0]
    return kind
