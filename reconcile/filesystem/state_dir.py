"""The state directory: what reconcile remembers between runs, writable by root (or us) alone."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from posixpath import dirname, join

from reconcile.filesystem.atomic_write import write_all, write_atomically
from reconcile.filesystem.fsync import sync_directory
from reconcile.filesystem.host_error import HostError, explained
from reconcile.filesystem.path import ancestors_top_down, helper_name, is_helper_name
from reconcile.filesystem.read import listdir, names_in, open_file
from reconcile.filesystem.safe_path import (
    PIN_DIRECTORY,
    DirectoryTrust,
    PinnedName,
    pin_directory,
    pin_name,
    trust_of,
)

APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC


class DurableLog:
    """A file that only grows; what was appended is on the disk when `append` returns."""

    def __init__(self, fd: int, path: str) -> None:
        self._fd = fd
        self._path = path

    def append(self, data: bytes) -> None:
        """Append `data`, durably. Errors: HostError."""
        with explained(f"{self._path} could not be appended to"):
            write_all(self._fd, data)
            os.fsync(self._fd)

    def close(self) -> None:
        """Close the file."""
        os.close(self._fd)


class StateDir:
    """Small files below one directory, named by relative paths such as `journal/7/log`.

    Reading creates nothing. Directories are 0700 and files 0600, whatever the umask; a
    directory that somebody else can write is refused. Changes here are never recorded
    for undo. Errors: HostError.
    """

    def __init__(self, path: str) -> None:
        self.path = path

    def is_writable(self) -> bool:
        """Whether who runs this can write here, or create it where it is absent."""
        existing = self.path
        while not os.path.lexists(existing):
            existing = dirname(existing)
        return os.access(existing, os.W_OK | os.X_OK)

    def path_of(self, name: str) -> str:
        """The absolute path of `name`; of the directory itself for ""."""
        return join(self.path, name) if name else self.path

    def exists(self, name: str = "") -> bool:
        """Whether anything is there."""
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
                with pin_name(path) as at, open_file(at) as fd, os.fdopen(os.dup(fd), "rb") as file:
                    self._refuse_untrusted(path, at.trust, os.fstat(fd))
                    return file.read()
            except FileNotFoundError:
                return None

    def write(self, name: str, data: bytes) -> None:
        """Write the file: old or new, never torn, and on the disk when this returns."""
        with self._writable(name) as at:
            write_atomically(at, helper_name(at.name, "new"), data, lambda fd: os.fchmod(fd, 0o600))

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
        """What is in a folder, sorted; nothing where the folder is absent."""
        path = self.path_of(folder)
        with explained(f"{path} cannot be listed"):
            try:
                return listdir(path)
            except FileNotFoundError:
                return []

    def remove_temporaries(self, folder: str = "", stem: str = "") -> None:
        """Remove what killed writes left of files in `folder` whose names begin with `stem`.

        Only for the one process that writes them, such as the holder of the lock.
        """
        path = self.path_of(folder)
        with explained(f"temporary files in {path} could not be removed"):
            try:
                with pin_directory(path) as (fd, _):
                    for name in names_in(fd):
                        if is_helper_name(name) and name.startswith(f".{stem}"):
                            os.unlink(name, dir_fd=fd)
            except FileNotFoundError:
                return

    def make_directory(self, folder: str = "") -> str:
        """Create a folder (and the state directory) where absent; return its absolute path."""
        for above in ancestors_top_down(self.path):
            with explained(f"{above} could not be created"), pin_name(above, follow=True) as at:
                _mkdir(at, 0o755)
        path = self.path
        self._make(path)
        for name in filter(None, folder.split("/")):
            path = join(path, name)
            self._make(path)
        return path

    def _make(self, path: str) -> None:
        with explained(f"{path} could not be created"), pin_name(path, follow=True) as at:
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
                    _remove_tree(at)
            except FileNotFoundError:
                return

    @contextmanager
    def _writable(self, name: str) -> Iterator[PinnedName]:
        folder, _, _ = name.rpartition("/")
        self.make_directory(folder)
        path = self.path_of(name)
        with explained(f"{path} could not be written"), pin_name(path) as at:
            yield at

    def _refuse_untrusted(self, path: str, trust: DirectoryTrust, found: os.stat_result) -> None:
        """What others can write would decide what root does next."""
        is_directory = stat.S_ISDIR(found.st_mode)
        inside = trust_of(found, trust) if is_directory else trust
        if inside == "untrusted" or (stat.S_ISREG(found.st_mode) and trust != "trusted"):
            raise HostError(
                what=f"{path} is not used: somebody else can write there",
                why="what is stored there decides what is changed and removed",
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


def _remove_tree(at: PinnedName) -> None:
    found = at.stat()
    if found is None:
        return
    if not stat.S_ISDIR(found.st_mode):
        os.unlink(at.name, dir_fd=at.dir_fd)
        return
    with at.pinned(PIN_DIRECTORY) as fd:
        for name in names_in(fd):
            _remove_tree(PinnedName(join(at.path, name), fd, name, at.trust))
    os.rmdir(at.name, dir_fd=at.dir_fd)
