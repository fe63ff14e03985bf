"""Errors of the kernel, explained: what failed, why in plain words, and how to fix it."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from reconcile.errors import ReconcileError, StalePlan

REASONS = {
    errno.EACCES: "permission denied",
    errno.EPERM: "operation not permitted, not even for the owner",
    errno.EROFS: "the filesystem is mounted read-only",
    errno.ENOSPC: "no space or no inodes are left on the filesystem",
    errno.EDQUOT: "the disk quota is exceeded",
    errno.EIO: "the disk or its driver reports an input/output error",
    errno.EMFILE: "this process has too many open files",
    errno.ENFILE: "the system has too many open files",
    errno.ELOOP: "the path contains a symlink that is not safe to follow",
    errno.ENAMETOOLONG: "a name in the path is too long for the filesystem",
    errno.ENOENT: "the path, or a directory in it, does not exist",
    errno.ENOTDIR: "a component of the path is not a directory",
    errno.EISDIR: "it is a directory",
    errno.EEXIST: "something else was created there in the meantime",
    errno.ENOTEMPTY: "the directory is not empty",
    errno.EXDEV: "it is on another filesystem",
    errno.EBUSY: "it is in use, for example as a mount point",
    errno.ETXTBSY: "it is a program that is running",
    errno.ENOTSUP: "the filesystem does not support this",
    errno.EINTR: "a signal interrupted it",
}

FIXES = {
    errno.EACCES: "Run it with sudo.",
    errno.EPERM: "Run it as root; in a container, check its capabilities.",
    errno.EROFS: "Remount it read-write; the kernel log (dmesg) shows why it is read-only.",
    errno.ENOSPC: "Free some space (df -h, df -i), then run this again.",
    errno.EDQUOT: "Raise the quota or free some space, then run this again.",
    errno.EIO: "Read the kernel log (dmesg) and check the disk.",
    errno.EMFILE: "Raise the limit of open files (ulimit -n).",
    errno.ENFILE: "Raise fs.file-max.",
}


class HostError(ReconcileError):
    """An operation on this machine failed; `errno` is 0 where reconcile itself refused it."""

    def __init__(self, what: str, why: str = "", fix: str = "", number: int = 0) -> None:
        super().__init__(what, why, fix)
        self.errno = number


class ChangedSincePlan(HostError, StalePlan):
    """What an effect starts from is no longer as it was when it was planned."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(
            f"{path} changed after it was planned",
            why,
            "Find out which process writes there, then plan again.",
        )


class UnsafePath(OSError):
    """A path that reconcile refuses to follow; its errno is the kernel's closest one."""

    def __init__(self, why: str, fix: str) -> None:
        super().__init__(errno.ELOOP, why)
        self.fix = fix


@contextmanager
def explained(what: str) -> Iterator[None]:
    """Turn an OSError of the body into a HostError that begins with `what`."""
    try:
        yield
    except OSError as error:
        raise host_error(what, error) from error


def host_error(what: str, error: OSError) -> HostError:
    """The HostError for a failure `what`, with the reason and the fix for its errno."""
    number = error.errno or 0
    if isinstance(error, UnsafePath):
        return HostError(what, error.strerror or "", error.fix, number)
    return HostError(what, cause(error), FIXES.get(number, ""), number)


def in_one_line(error: ReconcileError | OSError) -> str:
    """What failed and why; if only permissions are missing, with the fix."""
    if isinstance(error, OSError):
        return cause(error)
    line = f"{error.what.rstrip('.')}: {error.why}" if error.why else error.what
    is_denied = isinstance(error, HostError) and error.errno == errno.EACCES
    return f"{line}. {error.fix}" if is_denied else line


def cause(error: OSError) -> str:
    """The reason for `error` in plain words."""
    return REASONS.get(error.errno or 0, error.strerror or str(error))
