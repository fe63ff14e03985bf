"""A folder for files of one command, which no one else may enter, named by what it holds."""

from __future__ import annotations

import fcntl
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from posixpath import join

from reconcile.filesystem.flock import try_flock
from reconcile.filesystem.host_error import HostError, explained
from reconcile.filesystem.safe_path import closing

OF_ROOT = "/var/lib/reconcile-files"
UNFINISHED = "new-"
REMOVED = "old-"
LOCK = ".lock"
POLL_S = 0.01


class PrivateFolders:
    """The parent of all of them: 0700, and empty once no command uses one.

    Whoever uses a folder holds a shared lock on it, so that commands with the same files can
    run side by side, and the last one removes it. Kept by the kernel, no lock outlives a kill.
    """

    def __init__(self) -> None:
        self.path = OF_ROOT if os.geteuid() == 0 else _of_user()

    @contextmanager
    def new(self) -> Iterator[str]:
        """An empty folder, removed after the body unless it was published."""
        path = self._make_unfinished()
        try:
            with closing(os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)) as fd:
                fcntl.flock(fd, fcntl.LOCK_SH)
                yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)
            self._remove_if_empty()

    @contextmanager
    def published(self, new: str, name: str) -> Iterator[str]:
        """The folder `new` under `name`, or the one there, which holds the same; for the body."""
        path, lock = join(self.path, name), join(self.path, name + LOCK)
        fd = self._acquire(new, path, lock)
        try:
            yield path
        finally:
            self._remove_unused(path, lock, fd)
            os.close(fd)
            self._remove_if_empty()

    def _make_unfinished(self) -> str:
        while True:
            self._make()
            self._remove_abandoned()
            # Another command may remove the parent, which was empty.
            with suppress(FileNotFoundError):
                return tempfile.mkdtemp(prefix=UNFINISHED, dir=self.path)

    def _acquire(self, new: str, path: str, lock: str) -> int:
        """Share the lock of `path`, which exists from then on."""
        while True:
            fd = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            fcntl.flock(fd, fcntl.LOCK_SH)
            if _is_at(fd, lock):
                if not os.path.isdir(path) and try_flock(fd):
                    os.rename(new, path)
                    fcntl.flock(fd, fcntl.LOCK_SH)
                # Sharing an exclusive lock is not atomic.
                if os.path.isdir(path) and _is_at(fd, lock):
                    return fd
            os.close(fd)
            time.sleep(POLL_S)

    def _remove_unused(self, path: str, lock: str, fd: int) -> None:
        """Remove a folder that no other command uses; under its name it is never incomplete."""
        if not try_flock(fd):
            return
        with suppress(FileNotFoundError):
            old = tempfile.mkdtemp(prefix=REMOVED, dir=self.path)
            with suppress(FileNotFoundError):
                os.rename(path, join(old, "files"))
            os.unlink(lock)
            shutil.rmtree(old, ignore_errors=True)

    def _remove_abandoned(self) -> None:
        """Remove what killed commands left."""
        for name in _names_in(self.path):
            path = join(self.path, name)
            with suppress(OSError), closing(os.open(path, os.O_RDONLY | os.O_CLOEXEC)) as fd:
                if name.endswith(LOCK):
                    self._remove_unused(path.removesuffix(LOCK), path, fd)
                elif name.startswith((UNFINISHED, REMOVED)) and _is_old(fd) and try_flock(fd):
                    shutil.rmtree(path, ignore_errors=True)

    def _make(self) -> None:
        with explained(f"{self.path} could not be created"):
            with suppress(FileExistsError):
                os.mkdir(self.path, 0o700)
            found = os.lstat(self.path)
        if found.st_uid != os.geteuid() or found.st_mode != 0o40700:
            raise HostError(
                f"{self.path} is not a private folder",
                "another user owns it, or its mode is not 0700",
                "Remove it. Nothing was changed.",
            )

    def _remove_if_empty(self) -> None:
        with suppress(OSError):
            os.rmdir(self.path)


def _names_in(folder: str) -> list[str]:
    try:
        return os.listdir(folder)
    except FileNotFoundError:
        return []


def _of_user() -> str:
    return join(tempfile.gettempdir(), f"reconcile-files-{os.geteuid()}")


def _is_old(fd: int) -> bool:
    """Between its creation and its lock a folder is in use, too."""
    return time.time() - os.fstat(fd).st_ctime > 60


def _is_at(fd: int, path: str) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False
