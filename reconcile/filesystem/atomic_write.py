"""Give a name its new file in one step: old or new, never torn, on the disk when done."""

from __future__ import annotations

import os
from collections.abc import Callable

from reconcile.filesystem.fsync import sync_directory
from reconcile.filesystem.safe_path import PinnedName, closing

NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write_atomically(
    at: PinnedName,
    temp: str,
    data: bytes,
    set_permissions: Callable[[int], None],
    *,
    check: Callable[[], None] | None = None,
    overwrite: bool = True,
) -> None:
    """Write `data` to the new file `temp` beside `at`, then give it the name of `at`.

    `set_permissions` gets the descriptor of the new file, which is 0600 until then;
    `check` is called right before the name changes, and may refuse that.
    Errors: FileExistsError where `at` exists and must not be overwritten.
    """

    def create() -> None:
        """Write the temporary file and flush it."""
        with closing(os.open(temp, NEW_FILE, 0o600, dir_fd=at.dir_fd)) as fd:
            write_all(fd, data)
            set_permissions(fd)
            os.fsync(fd)
        if check is not None:
            check()

    _give_name(at, temp, create, overwrite=overwrite)


def symlink_atomically(
    at: PinnedName, temp: str, target: str, check: Callable[[], None] | None = None
) -> None:
    """Make `temp` a symlink to `target`, then give it the name of `at` unless `check` refuses."""

    def create() -> None:
        """Create the temporary link."""
        os.symlink(target, temp, dir_fd=at.dir_fd)
        # Below a directory with setgid it would have the group of that.
        os.chown(temp, -1, os.getegid(), dir_fd=at.dir_fd, follow_symlinks=False)
        if check is not None:
            check()

    _give_name(at, temp, create, overwrite=True)


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data`, however much the kernel takes at once."""
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


def unlink_if_exists(at: PinnedName, name: str) -> None:
    """Remove the name `name` beside `at`; nothing to do where it is gone."""
    try:
        os.unlink(name, dir_fd=at.dir_fd)
    except FileNotFoundError:
        return


def _give_name(at: PinnedName, temp: str, create: Callable[[], None], *, overwrite: bool) -> None:
    try:
        create()
        if overwrite:
            os.rename(temp, at.name, src_dir_fd=at.dir_fd, dst_dir_fd=at.dir_fd)
        else:
            # Unlike a rename, a link fails where something has appeared in the meantime.
            os.link(
                temp, at.name, src_dir_fd=at.dir_fd, dst_dir_fd=at.dir_fd, follow_symlinks=False
            )
            os.unlink(temp, dir_fd=at.dir_fd)
    except BaseException:
        unlink_if_exists(at, temp)
        raise
    # Without this a power cut can roll the rename back.
    sync_directory(at.dir_fd)
