"""Copying a file's content inside the kernel, so that it does not pass through this process.

Where the filesystem can (btrfs, XFS), the copy shares the original's blocks and takes no
space until one of them changes. Source: ioctl_ficlone(2), copy_file_range(2).
"""

from __future__ import annotations

import errno
import os

FICLONE = 0x40049409
MOST = 1 << 30
"""Bytes asked for at once."""
CANNOT = {
    *(errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.ENOSYS, errno.ENOTTY, errno.EPERM),
    *(errno.ETXTBSY, errno.EBADF),
}
"""The kernel, a filesystem or a sandbox does not do it for these two files."""


def cloned(original: int, copy: int) -> bool:
    """Fill the empty file `copy`; False, and it is empty still, where that cannot be done.

    Errors: OSError where writing fails for good (ENOSPC, EIO).
    """
    try:
        if not _shares_blocks(original, copy):
            _copy(original, copy)
    except OSError as error:
        if error.errno not in CANNOT:
            raise
        os.ftruncate(copy, 0)
        os.lseek(copy, 0, os.SEEK_SET)
        return False
    return True


def _shares_blocks(original: int, copy: int) -> bool:
    import fcntl

    try:
        fcntl.ioctl(copy, FICLONE, original)
    except OSError as error:
        if error.errno not in CANNOT:
            raise
        return False
    return True


def _copy(original: int, copy: int) -> None:
    done = 0
    while count := os.copy_file_range(original, copy, MOST, offset_src=done):
        done += count
