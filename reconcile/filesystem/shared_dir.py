"""A directory whose files one group may read, and nobody but root (or who runs this) may write."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from posixpath import join

from reconcile.filesystem.atomic_write import unlink_if_exists, write_atomically
from reconcile.filesystem.fsync import sync_directory
from reconcile.filesystem.host_error import HostError, explained
from reconcile.filesystem.path import helper_name
from reconcile.filesystem.read import names_in
from reconcile.filesystem.safe_path import (
    PIN_DIRECTORY,
    PinnedName,
    open_readable,
    pin_name,
    trust_of,
)

DIRECTORY_MODE = 0o750
FILE_MODE = 0o640


class SharedDir:
    """Plain files below one directory: 0750 and 0640, of `gid`, or of who runs this for None.

    A symlink in its place, and a directory that somebody else can write, are refused.
    Errors: HostError.
    """

    def __init__(self, path: str, gid: int | None) -> None:
        self.path = path
        self._gid = -1 if gid is None else gid

    def make(self) -> str:
        """Create it where absent, and set its owner and mode; return its path."""
        with self._pinned():
            return self.path

    def write(self, name: str, data: bytes) -> None:
        """Write a file: old or new, never torn."""
        with self._pinned() as at, explained(f"{join(self.path, name)} could not be written"):
            file = PinnedName(join(self.path, name), at, name, "trusted")
            write_atomically(file, helper_name(name, "new"), data, self._share(FILE_MODE))

    def keep_newest(self, suffix: str, most: int) -> None:
        """Remove all but the `most` newest plain files whose names end with `suffix`."""
        with self._pinned() as at, explained(f"old files in {self.path} could not be removed"):
            found = {
                name: os.stat(name, dir_fd=at, follow_symlinks=False)
                for name in names_in(at)
                if name.endswith(suffix)
            }
            files = [name for name, stats in found.items() if stat.S_ISREG(stats.st_mode)]
            files.sort(key=lambda name: found[name].st_mtime_ns, reverse=True)
            for name in files[most:]:
                unlink_if_exists(PinnedName(join(self.path, name), at, name, "trusted"), name)

    @contextmanager
    def _pinned(self) -> Iterator[int]:
        """A descriptor of the directory, whose owner and mode are right."""
        with explained(f"{self.path} could not be created"), pin_name(self.path) as at:
            _create(at)
            with at.pinned(PIN_DIRECTORY) as pinned, open_readable(pinned) as fd:
                if trust_of(os.fstat(fd), at.trust) != "trusted":
                    raise HostError(
                        what=f"{self.path} is not used: somebody else can write there",
                        why="what collectors read there could be forged",
                        fix="Give it and every directory above it to root, writable by root alone.",
                    )
                self._share(DIRECTORY_MODE)(fd)
                yield fd

    def _share(self, mode: int) -> Callable[[int], None]:
        def set_permissions(fd: int) -> None:
            """Give a new file its group and mode."""
            # The group first: until then the old mode may be for another one.
            os.fchown(fd, -1, self._gid)
            os.fchmod(fd, mode)

        return set_permissions


def _create(at: PinnedName) -> None:
    try:
        os.mkdir(at.name, 0o700, dir_fd=at.dir_fd)
    except FileExistsError:
        return
    sync_directory(at.dir_fd)
