"""Whether what is about to be written fits where it goes, found before anything is written.

Nothing that is replaced or removed makes room: its inode is kept for a rollback. Counted is the
least that the files can take, so that what fits is never refused. Source: statvfs(3); under a
project quota it reports what is left of that, and without any limit (tmpfs with size=0, ramfs) no
blocks at all.
"""

from __future__ import annotations

import errno
import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from posixpath import dirname
from typing import NamedTuple

from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.mount import Mount, find_mount, read_mounts
from reconcile.wording import counted, first_few, size_text

LARGE = 4 << 20
"""Bytes above which a file is copied inside of the kernel, with its holes."""
EXT = frozenset({"ext2", "ext3", "ext4"})
PLAIN = EXT | {"xfs", "tmpfs"}
"""Filesystems that store what they are given; others compress it, or their server does."""
SHARING = frozenset({"xfs"})
"""Of these, those on which a copy can share the blocks of its original."""
LARGEST_BLOCK = 4096


class NewFile(NamedTuple):
    """A file to be written: its size, and what it is copied from, "" for nothing."""

    size: int
    original: str = ""


class NewFiles(NamedTuple):
    """What is about to be written in or below `directory`, which need not exist yet."""

    directory: str
    files: Iterable[NewFile]
    is_recorded: bool = True
    """Whether the state directory keeps how to undo each of them."""


@dataclass
class _Need:
    """What goes to one filesystem, or to one part of it with a quota."""

    at: str
    free: os.statvfs_result
    mount: Mount | None
    size: int = 0
    count: int = 0
    by_directory: dict[str, int] = field(default_factory=lambda: defaultdict(int))


class FreeSpace:
    """Sums up what is written, by filesystem; mounts are read once."""

    def __init__(self) -> None:
        self._mounts = read_mounts("self")
        self._needs: dict[tuple[int, int], _Need] = {}

    def add(self, new: NewFiles) -> int:
        """Count `new`, whose directory has no links; how many files those are."""
        count, at = 0, os.path.realpath(nearest_directory(new.directory))
        # What cannot be read now is reported by who writes there.
        with suppress(OSError):
            need = self._need(at)
            for file in new.files:
                size = _least_size(file, at, need)
                need.size += size
                need.by_directory[new.directory] += size
                count += 1
            need.count += count
        return count

    def _need(self, at: str) -> _Need:
        device, free = os.stat(at).st_dev, os.statvfs(at)
        found = find_mount(self._mounts, at)
        return self._needs.setdefault((device, free.f_blocks), _Need(at, free, found))

    def obstacles(self) -> Iterator[HostError]:
        """Each filesystem that has too little space or too few inodes left."""
        for need in self._needs.values():
            free_bytes, free_inodes = left_on(need.free)
            if _is_size_known(need) and need.size > free_bytes:
                yield _too_small(need, free_bytes)
            elif need.free.f_files > 0 and need.count > free_inodes:
                yield _too_few_inodes(need, free_inodes)


def nearest_directory(path: str) -> str:
    """`path`, or the nearest directory above that exists."""
    while not os.path.isdir(path):
        path = dirname(path)
    return path


def left_on(free: os.statvfs_result) -> tuple[int, int]:
    """The bytes and inodes that are left; what is reserved for root is root's to use."""
    if os.geteuid() == 0:
        return free.f_bfree * free.f_frsize, free.f_ffree
    return free.f_bavail * free.f_frsize, free.f_favail


def is_limited(free: os.statvfs_result) -> bool:
    """Whether the filesystem reports how many bytes fit on it."""
    return free.f_blocks > 0


def _is_size_known(need: _Need) -> bool:
    mount = need.mount
    if mount is None or mount.filesystem not in PLAIN or not is_limited(need.free):
        return False
    # On these, statvfs reports a project quota that does not hold for root.
    return not (mount.filesystem in EXT and "prjquota" in mount.super_options)


def _least_size(file: NewFile, at: str, need: _Need) -> int:
    """The bytes that `file` takes at least, in whole blocks."""
    size = file.size
    if size > LARGE and file.original:
        found = os.stat(file.original)
        if need.mount and need.mount.filesystem in SHARING and found.st_dev == os.stat(at).st_dev:
            return 0
        size = min(size, found.st_blocks * 512)
    block = min(need.free.f_frsize, LARGEST_BLOCK)
    return -(-size // block) * block


def _too_small(need: _Need, left: int) -> HostError:
    return _refused(
        need,
        f"it has {size_text(left)} left, and the plan writes {size_text(need.size)}{_where(need)}",
        f"Free {size_text(need.size - left)} or more (df -h {_point(need)})",
    )


def _where(need: _Need) -> str:
    per = need.by_directory
    if len(per) == 1:
        return f" in {first_few([*per])}"
    shares = sorted(per, key=per.__getitem__, reverse=True)
    return f": {first_few([f'{size_text(per[one])} in {one}' for one in shares])}"


def _too_few_inodes(need: _Need, left: int) -> HostError:
    return _refused(
        need,
        f"it has {counted(left, 'inode')} left, and the plan makes {counted(need.count, 'file')}",
        f"Remove files that are not needed (df -i {_point(need)})",
    )


def _refused(need: _Need, why: str, fix: str) -> HostError:
    return HostError(
        f"the filesystem at {_point(need)} is too full for this plan",
        f"{why}; what it replaces or removes is kept for a rollback",
        f"{fix}, or apply less at once (--site, --target). Nothing was changed.",
        errno.ENOSPC,
    )


def _point(need: _Need) -> str:
    return need.mount.point if need.mount else need.at
