"""The `__main__` of the one file: unpack into a folder that its user alone can write, and run.

Who can write the folder decides what root runs, so each part of its path belongs to root or to
the user, and nobody else can write it. A version that is in use is locked; others are removed
when a new one is unpacked. Only the standard library: nothing is unpacked yet.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import stat
import sys
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

OF_ROOT = "/var/lib/reconcile/program"
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH
USED = ".used"


def main(archive: str) -> None:
    """Prepare the folder of unpacked versions, and hand over to shiv's bootstrap."""
    folder = os.path.abspath(os.environ.get("SHIV_ROOT") or _default_folder())
    try:
        _make_private(folder)
        _lock(folder, _version(archive))
    except OSError as failed:
        sys.exit(f"reconcile: {folder} cannot be used to unpack the program: {failed.strerror}")
    os.environ["SHIV_ROOT"] = folder
    bootstrap: Any = __import__("_bootstrap")
    bootstrap.bootstrap()


def _default_folder() -> str:
    if os.geteuid() == 0:
        return OF_ROOT
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return os.path.join(cache, "reconcile")


def _make_private(folder: str) -> None:
    for path in (*_parents(folder), folder):
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)
        if _can_others_replace(path, is_last=path == folder):
            sys.exit(
                f"reconcile: {path} can be changed by other users, who could plant code in "
                f"{folder}. Remove it, or give it to {_name()}, writable by nobody else "
                "(SHIV_ROOT names another folder)."
            )


def _parents(folder: str) -> Iterator[str]:
    parts = folder.strip("/").split("/")
    for count in range(1, len(parts)):
        yield "/" + "/".join(parts[:count])


def _can_others_replace(path: str, *, is_last: bool) -> bool:
    """Whether another user can put something else there; in a sticky folder only its owner can."""
    for found in (os.lstat(path), os.stat(path)):
        if found.st_uid not in (0, os.geteuid()):
            return True
        is_sticky = found.st_mode & stat.S_ISVTX and not is_last
        if found.st_mode & OTHERS_WRITE and not stat.S_ISLNK(found.st_mode) and not is_sticky:
            return True
    return is_last and not stat.S_ISDIR(os.lstat(path).st_mode)


def _name() -> str:
    return "root" if os.geteuid() == 0 else "yourself"


def _version(archive: str) -> str:
    """The name of the folder that shiv unpacks this archive into."""
    with zipfile.ZipFile(archive) as packed:
        build = json.loads(packed.read("environment.json"))["build_id"]
    return f"{os.path.basename(os.path.realpath(archive))}_{build}"


def _lock(folder: str, version: str) -> None:
    """Keep this version until the process ends, and remove those that no process uses."""
    _try_lock(os.path.join(folder, version + USED), fcntl.LOCK_SH)
    if os.path.isdir(os.path.join(folder, version)):
        return
    for name in os.listdir(folder):
        other = os.path.join(folder, name.removesuffix(USED))
        if name.endswith(USED) and name != version + USED and os.path.isdir(other):
            fd = _try_lock(os.path.join(folder, name), fcntl.LOCK_EX | fcntl.LOCK_NB)
            if fd is not None:
                shutil.rmtree(other)
                os.close(fd)


def _try_lock(path: str, how: int) -> int | None:
    # The file stays: whoever waits for it must find the one that is locked.
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, how)
    except BlockingIOError:
        os.close(fd)
        return None
    return fd


if __name__ == "__main__":
    main(sys.argv[0])
