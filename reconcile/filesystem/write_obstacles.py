"""What keeps even root from changing a path, found before anything has changed."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from posixpath import dirname

from reconcile.filesystem.free_space import is_limited, left_on, nearest_directory
from reconcile.filesystem.host_error import FIXES, REASONS, HostError
from reconcile.filesystem.inode_flags import flag_error
from reconcile.filesystem.mount import is_mounted_read_only, read_mounts


class WriteObstacles:
    """Asked about many paths: mounts are read once, and each directory is examined once."""

    def __init__(self) -> None:
        self._mounts = read_mounts("self")
        self._by_directory: dict[str, tuple[HostError | None, HostError | None]] = {}

    def replacing(self, path: str) -> HostError | None:
        """Why nothing can be created, replaced or removed as `path`; None where that can be."""
        return self._in(dirname(path), names=True) or _flag(path)

    def setting_permissions(self, path: str) -> HostError | None:
        """Why `path` cannot get another owner or mode; None where it can."""
        return self._in(dirname(path), names=False) or _flag(path)

    def filling(self, directory: str, size: int) -> HostError | None:
        """Why no file of `size` bytes can be made in `directory`, or where that would be."""
        return self._in(directory, names=True) or _full(nearest_directory(directory), size)

    def _in(self, directory: str, *, names: bool) -> HostError | None:
        if directory not in self._by_directory:
            real = os.path.realpath(nearest_directory(directory))
            self._by_directory[directory] = (
                self._read_only(real),
                self._read_only(real) or _flag(real),
            )
        return self._by_directory[directory][names]

    def _read_only(self, real: str) -> HostError | None:
        if not is_mounted_read_only(self._mounts, real):
            return None
        return _not_writable(real, errno.EROFS)


def _flag(path: str) -> HostError | None:
    return flag_error(f"{path} cannot be changed", path)


def _full(directory: str, size: int) -> HostError | None:
    with suppress(OSError):
        found = os.statvfs(directory)
        free_bytes, free_inodes = left_on(found)
        is_small = is_limited(found) and free_bytes < size
        if is_small or (found.f_files > 0 and free_inodes == 0):
            return _not_writable(directory, errno.ENOSPC)
    return None


def _not_writable(path: str, number: int) -> HostError:
    fix = f"{FIXES[number]} Nothing was changed."
    return HostError(f"{path} cannot be written", REASONS[number], fix, number)
