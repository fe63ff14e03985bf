"""What the kernel refused, in plain words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from reconcile.errors import ReconcileError

REASONS = {
    errno.EACCES: "permission denied: the user who runs this may not do that here",
    errno.EPERM: "the kernel does not permit it, even to the owner",
    errno.EROFS: "the filesystem is mounted read-only",
    errno.ENOSPC: "no space or no inodes are left on the filesystem",
    errno.EDQUOT: "the disk quota is used up",
    errno.EIO: "the disk or its driver reports an input/output error",
    errno.EMFILE: "this process has too many files open",
    errno.ENFILE: "the whole system has too many files open",
    errno.ELOOP: "a symlink is in the way, and it is not safe to follow",
    errno.ENAMETOOLONG: "a name in the path is too long for the filesystem",
    errno.ENOENT: "it does not exist, or a directory on the way to it does not",
    errno.ENOTDIR: "something on the way is not a directory",
    errno.EISDIR: "it is a directory",
    errno.EEXIST: "something else has been put there meanwhile",
    errno.ENOTEMPTY: "the directory is not empty",
    errno.EXDEV: "it lies on another filesystem",
    errno.EBUSY: "it is in use, for one as a mount point",
    errno.ETXTBSY: "it is a program that is running",
    errno.ENOTSUP: "the filesystem cannot do that",
    errno.EINTR: "a signal interrupted it",
}

FIXES = {
    errno.EACCES: "Run it with sudo, or as the owner.",
    errno.EPERM: "Run as root; in a container, look at its capabilities.",
    errno.EROFS: "Mount it read-write, and look in the kernel's log for why it is not.",
    errno.ENOSPC: "Make room (df -h, df -i), then run this again.",
    errno.EDQUOT: "Raise the quota or make room, then run this again.",
    errno.EIO: "Look in the kernel's log (dmesg) and check the disk.",
    errno.EMFILE: "Raise the limit of open files (ulimit -n).",
    errno.ENFILE: "Raise fs.file-max.",
}


class HostError(ReconcileError):
    """The machine refused; `errno` is the kernel's number, 0 where it was our own refusal."""

    def __init__(self, what: str, why: str = "", fix: str = "", number: int = 0) -> None:
        super().__init__(what, why, fix)
        self.errno = number


class UnsafePath(OSError):
    """Our own refusal of a path, with the kernel's number that comes nearest."""

    def __init__(self, why: str, fix: str) -> None:
        super().__init__(errno.ELOOP, why)
        self.fix = fix


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn an OSError of the body into a HostError about `what`."""
    try:
        yield
    except OSError as error:
        raise host_error(what, error) from error


def host_error(what: str, error: OSError) -> HostError:
    """`what` could not be done; the cause in plain words, with the fix that fits it."""
    number = error.errno or 0
    if isinstance(error, UnsafePath):
        return HostError(what, error.strerror or "", error.fix, number)
    return HostError(what, cause(error), FIXES.get(number, ""), number)


def in_one_line(error: ReconcileError | OSError) -> str:
    """What failed and why; if only permissions are missing, with the fix."""
    if isinstance(error, OSError):
        return cause(error)
    line = f"{error.what.rstrip('.')}: {error.why}" if error.why else error.what
    missing = isinstance(error, HostError) and error.errno == errno.EACCES
    return f"{line}. {error.fix}" if missing else line


def cause(error: OSError) -> str:
    """Why the kernel refused, in plain words."""
    return REASONS.get(error.errno or 0, error.strerror or str(error))
