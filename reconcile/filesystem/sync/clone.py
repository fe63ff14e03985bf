"""Copy a file's content inside of the kernel."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator

FICLONE = 0x40049409
CLONE_BYTES = 1 << 30
"""Bytes requested of copy_file_range at once."""
CANNOT_CLONE = {
    *(errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOTTY, errno.EPERM),
    *(errno.ETXTBSY, errno.EBADF),
}
"""The kernel, a filesystem or a sandbox does not support it for these two files."""


def clone_content(original: int, copy: int) -> bool:
    """Fill the empty file `copy` inside the kernel; False, and still empty, if unsupported.

    Where the filesystem can (btrfs, XFS), the copy shares the original's blocks and takes no
    space until one of them changes. Source: ioctl_ficlone(2), copy_file_range(2).
    Errors: OSError where writing itself fails (ENOSPC, EIO).
    """
    try:
        if not _share_blocks(original, copy):
            _copy_range(original, copy)
    except OSError as error:
        if error.errno not in CANNOT_CLONE:
            raise
        os.ftruncate(copy, 0)
        for fd in (original, copy):
            os.lseek(fd, 0, os.SEEK_SET)
        return False
    return True


def _share_blocks(original: int, copy: int) -> bool:
    try:
        fcntl.ioctl(copy, FICLONE, original)
    except OSError as error:
        if error.errno not in CANNOT_CLONE:
            raise
        return False
    return True


def _copy_range(original: int, copy: int) -> None:
    size = os.fstat(original).st_size
    for start, end in _data_ranges(original):
        done = os.lseek(copy, start, os.SEEK_SET)
        while count := os.copy_file_range(
            original, copy, min(CLONE_BYTES, end - done), offset_src=done
        ):
            done += count
    os.ftruncate(copy, size)


def _data_ranges(original: int) -> Iterator[tuple[int, int]]:
    """From where to where there is data: holes, which take no space, are left out.

    Source: lseek(2), SEEK_DATA and SEEK_HOLE.
    """
    found, end = os.fstat(original), 0
    if found.st_blocks * 512 >= found.st_size:
        yield 0, found.st_size
        return
    while end < found.st_size:
        try:
            start = os.lseek(original, end, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
            return
        end = os.lseek(original, start, os.SEEK_HOLE)
        yield start, end
