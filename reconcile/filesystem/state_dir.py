"""The state directory: what we remember between runs, root's (or ours) alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager

from reconcile.filesystem.backup import sync_directory
from reconcile.filesystem.host_error import HostError, explained
from reconcile.filesystem.path import as_bytes, helper_name, is_helper_name, join
from reconcile.filesystem.read import names_in, opened
from reconcile.filesystem.safe_path import (
    PIN_DIRECTORY,
    DirectoryTrust,
    PinnedName,
    pin_directory,
    pin_name,
    trust_of,
)

NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class DurableLog:
    """A file that only grows; what was appended is on the disk when `append` returns."""

    def __init__(self, fd: int, path: str) -> None:
        self._fd = fd
        self._path = path

    def append(self, data: bytes) -> None:
        with explained(f"{self._path} could not be appended to"):
            left = memoryview(data)
            while left:
                left = left[os.write(self._fd, left) :]
            os.fsync(self._fd)

    def close(self) -> None:
        os.close(self._fd)


class StateDir:
    """Small files under one directory, named by relative paths such as `journal/7/log`.

    Nothing is created by reading. Directories are 0700 and files 0600, whatever
    the umask; a directory that somebody else may write is refused. Changes here
    are never recorded for undo. Errors: HostError.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def is_writable(self) -> bool:
        """Whether who runs this may write here, or make it where it is absent."""
        there = self.path
        while not os.path.lexists(there):
            there = os.path.dirname(there)
        return os.access(there, os.W_OK | os.X_OK)

    def path_of(self, name: str) -> str:
        return join(self.path, name) if name else self.path

    def exists(self, name: str = "") -> bool:
        with explained(f"{self.path_of(name)} cannot be examined"):
            try:
                with pin_name(self.path_of(name)) as at:
                    return at.stat() is not None
            except FileNotFoundError:
                return False

    def read(self, name: str) -> bytes | None:
        """The whole file, None where absent."""
        path = self.path_of(name)
        with explained(f"{path} cannot be read"):
            try:
                with pin_name(path) as at, opened(at) as fd, os.fdopen(os.dup(fd), "rb") as file:
                    self._refuse_untrusted(path, at.trust, os.fstat(fd))
                    return file.read()
            except FileNotFoundError:
                return None

    def write(self, name: str, data: bytes) -> None:
        """Old or new, never torn, and on the disk when this returns."""
        with self._writable(name) as at:
            temp = helper_name(at.name, "new")
            try:
                self._fill(at, temp, data)
                os.rename(temp, at.name, src_dir_fd=at.dir_fd, dst_dir_fd=at.dir_fd)
            except BaseException:
                _unlink(at, temp)
                raise
            sync_directory(at.dir_fd)

    def _fill(self, at: PinnedName, temp: str, data: bytes) -> None:
        fd = os.open(temp, NEW, 0o600, dir_fd=at.dir_fd)
        with os.fdopen(fd, "wb") as file:
            os.fchmod(fd, 0o600)
            file.write(data)
            file.flush()
            os.fsync(fd)

    def log(self, name: str) -> DurableLog:
        """Open `name` for durable appends, created where absent."""
        with self._writable(name) as at:
            fd = os.open(at.name, APPEND, 0o600, dir_fd=at.dir_fd)
            try:
                os.fchmod(fd, 0o600)
                sync_directory(at.dir_fd)
            except BaseException:
                os.close(fd)
                raise
        return DurableLog(fd, self.path_of(name))

    def list_names(self, folder: str = "") -> list[str]:
        """What lies in a folder, sorted; nothing where the folder is absent."""
        path = self.path_of(folder)
        with explained(f"{path} cannot be listed"):
            try:
                with pin_directory(path) as (fd, _):
                    names = names_in(fd)
            except FileNotFoundError:
                return []
        return sorted((name for name in names if not is_helper_name(name)), key=as_bytes)

    def remove_temporaries(self, folder: str = "", stem: str = "") -> None:
        """Remove what killed writes left of files in `folder` whose names begin with `stem`.

        For who alone writes them, as the holder of the lock does.
        """
        path = self.path_of(folder)
        with explained(f"{path} could not be swept"):
            try:
                with pin_directory(path) as (fd, _):
                    for name in names_in(fd):
                        if is_helper_name(name) and name.startswith(f".{stem}"):
                            os.unlink(name, dir_fd=fd)
            except FileNotFoundError:
                return

    def make_directory(self, folder: str = "") -> str:
        """Make a folder (and the state directory) where absent; its absolute path."""
        path = self.path
        _make_parents(path)
        self._make(path)
        for name in filter(None, folder.split("/")):
            path = join(path, name)
            self._make(path)
        return path

    def _make(self, path: str) -> None:
        with explained(f"{path} could not be made"), pin_name(path, follow=True) as at:
            _mkdir(at, 0o700)
            found = at.stat()
        if found is not None:
            self._refuse_untrusted(path, at.trust, found)

    def remove(self, name: str) -> None:
        """Remove a file, or a folder with all that is in it; nothing to do where absent."""
        path = self.path_of(name)
        with explained(f"{path} could not be removed"):
            try:
                with pin_name(path) as at:
                    _remove(at)
            except FileNotFoundError:
                return

    @contextmanager
    def _writable(self, name: str) -> Iterator[PinnedName]:
        folder, _, _ = name.rpartition("/")
        self.make_directory(folder)
        path = self.path_of(name)
        with explained(f"{path} could not be written"), pin_name(path) as at:
            yield at

    def _refuse_untrusted(self, path: str, guard: DirectoryTrust, found: os.stat_result) -> None:
        """What others may write would decide what root does next."""
        inside = trust_of(found, guard) if stat.S_ISDIR(found.st_mode) else guard
        if inside == "open" or (stat.S_ISREG(found.st_mode) and guard != "closed"):
            raise HostError(
                what=f"{path} is not used: somebody else may write there",
                why="what is remembered there decides what is changed and removed",
                fix=f"Give {self.path} and every directory above it to root,"
                " writable by nobody else, or set host.state_dir.",
            )


def _mkdir(at: PinnedName, mode: int) -> None:
    try:
        os.mkdir(at.name, 0o700, dir_fd=at.dir_fd)
    except FileExistsError:
        return
    os.chmod(at.name, mode, dir_fd=at.dir_fd)
    sync_directory(at.dir_fd)


def _make_parents(path: str) -> None:
    folders = [name for name in path.split("/") if name][:-1]
    for depth in range(1, len(folders) + 1):
        parent = "/" + "/".join(folders[:depth])
        with explained(f"{parent} could not be made"), pin_name(parent, follow=True) as at:
            _mkdir(at, 0o755)


def _unlink(at: PinnedName, name: str) -> None:
    try:
        os.unlink(name, dir_fd=at.dir_fd)
    except FileNotFoundError:
        return


def _remove(at: PinnedName) -> None:
    found = at.stat()
    if found is None:
        return
    if not stat.S_ISDIR(found.st_mode):
        os.unlink(at.name, dir_fd=at.dir_fd)
        return
    fd = os.open(at.name, PIN_DIRECTORY, dir_fd=at.dir_fd)
    try:
        for name in names_in(fd):
            _remove(PinnedName(join(at.path, name), fd, name, at.trust))
    finally:
        os.close(fd)
    os.rmdir(at.name, dir_fd=at.dir_fd)
