"""Facts about inodes: what `stat` returns."""

from __future__ import annotations

import os
import stat
from typing import Literal, NamedTuple

from reconcile.dataclass import dataclass


class Ownership(NamedTuple):
    """The owner and the mode of an inode."""

    uid: int
    gid: int
    mode: int

    @classmethod
    def of(cls, st: os.stat_result) -> Ownership:
        """Those that `os.stat` returned."""
        return cls(st.st_uid, st.st_gid, stat.S_IMODE(st.st_mode))


FileKind = Literal["file", "directory", "symlink", "other"]


@dataclass(frozen=True)
class Stat:
    """One inode's facts; `mode` holds the twelve permission bits, times are in ns."""

    kind: FileKind
    uid: int
    gid: int
    mode: int
    size: int
    mtime_ns: int
    ctime_ns: int
    ino: int
    dev: int

    @property
    def ownership(self) -> Ownership:
        """Its owner and mode."""
        return Ownership(self.uid, self.gid, self.mode)

    @classmethod
    def of(cls, st: os.stat_result) -> Stat:
        """The facts of what `os.stat` returned."""
        return cls(
            kind_of(st.st_mode),
            st.st_uid,
            st.st_gid,
            stat.S_IMODE(st.st_mode),
            st.st_size,
            st.st_mtime_ns,
            st.st_ctime_ns,
            st.st_ino,
            st.st_dev,
        )


def kind_of(mode: int) -> FileKind:
    """The kind of file that the type bits of `mode` stand for."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "symlink" if stat.S_ISLNK(mode) else "other"
