"""The folder that assets are copied from: which files count, and how they are read.

Whoever can write there must not be able to publish somebody else's file, so a
symlink is followed only where it stays inside, component by component.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import field
from posixpath import join
from typing import NamedTuple

from reconcile.dataclass import dataclass
from reconcile.filesystem.folder_access import can_all_writers_enter, can_all_writers_read
from reconcile.filesystem.host_error import HostError, UnsafePath
from reconcile.filesystem.openat import DirectoryCursor, Listing
from reconcile.filesystem.path import components, relative_to
from reconcile.filesystem.permissions import hard_links_are_protected
from reconcile.filesystem.place_guard import UNGUARDED, UNGUARDED_TREE, GuardedTree, PlaceGuard
from reconcile.filesystem.read import open_file
from reconcile.filesystem.safe_path import PIN_DIRECTORY, pin_directory, topmost_untrusted
from reconcile.filesystem.scan_result import Examples, OwnedExamples
from reconcile.filesystem.sync.manifest_row import Signature

MOST_SYMLINKS = 16


class Original(NamedTuple):
    """A file or directory of the source; `source_path` is its path there without symlinks."""

    source_path: str
    st: os.stat_result

    @property
    def is_directory(self) -> bool:
        """Whether it is a directory."""
        return stat.S_ISDIR(self.st.st_mode)

    @property
    def signature(self) -> Signature:
        """What changes when its content does."""
        return Signature.of(self.st)


@dataclass(frozen=False)
class NotCopied:
    """What of the source is not copied: links that lead out of it, special files, hard links."""

    outside: Examples = field(default_factory=Examples)
    special: Examples = field(default_factory=Examples)
    foreign: Examples = field(default_factory=Examples)
    private: OwnedExamples = field(default_factory=OwnedExamples)
    """Not readable by those who can have put them into the source."""
    protected: Examples = field(default_factory=Examples)
    """Folders with other people's data."""
    too_deep: Examples = field(default_factory=Examples)
    """Folders further down than is compared."""

    def merge(self, other: NotCopied) -> None:
        """Add what another process found."""
        for name in ("outside", "special", "foreign", "private", "protected", "too_deep"):
            getattr(self, name).merge(getattr(other, name))


class Source:
    """One source folder, pinned while it is used.

    Names that begin with a dot count only where it `copies_hidden` files.
    """

    def __init__(
        self,
        root: int,
        cursor: DirectoryCursor,
        path: str,
        writable: os.stat_result | None = None,
        guarded: GuardedTree = UNGUARDED_TREE,
        *,
        copies_hidden: bool = False,
    ) -> None:
        self._cursor, self._path, self._guarded = cursor, path, guarded
        self._copies_hidden = copies_hidden
        self._writable = writable
        """The topmost directory on the way to the source that somebody else can write."""
        self._owner = os.fstat(root).st_uid
        self.not_copied = NotCopied()

    def has_mounts(self) -> bool:
        """Whether anything is mounted below it now."""
        return self._cursor.has_mounts()

    def path_of(self, path: str) -> str:
        """The absolute path of what is `path` in the source."""
        return join(self._path, path)

    def listing(self, folder: str) -> AbstractContextManager[Listing]:
        """What is in the directory `folder`, a path in the source without symlinks."""
        return self._cursor.listing(folder)

    def directory_size(self, folder: str) -> int:
        """The size in bytes of that directory itself, which grows with its number of names."""
        return self._cursor.directory_size(folder)

    @contextmanager
    def open_file(self, path: str) -> Iterator[int]:
        """A regular file of the source, open for reading; the name may be another's by now.

        Errors: OSError; HostError where it must not be published.
        """
        at = self._cursor.name(path)
        with open_file(at) as fd:
            if at.trust != "trusted" and self._is_private(path, os.fstat(fd)):
                raise _private_file(f"{self._path}/{path}")
            yield fd

    def originals(self, folder: str, at: Listing, names: Iterable[str]) -> dict[str, Original]:
        """Name → what of `names` is copied, in their order; `at` is the listing of `folder`."""
        is_trusted = at.trust == "trusted"
        visible = (name for name in names if self._copies_hidden or not name.startswith("."))
        found = ((name, self._original(at.fd, folder, name, is_trusted)) for name in visible)
        return {name: one for name, one in found if one is not None}

    def _original(self, fd: int, folder: str, name: str, is_trusted: bool) -> Original | None:
        path = f"{folder}/{name}" if folder else name
        try:
            st = os.stat(name, dir_fd=fd, follow_symlinks=False)
            is_public = is_trusted or st.st_mode & stat.S_IROTH
            if is_public and st.st_nlink == 1 and stat.S_ISREG(st.st_mode):
                return Original(path, st)  # as nearly all of a hundred thousand are
            if stat.S_ISLNK(st.st_mode):
                path, st, is_trusted = self._follow(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno != errno.ELOOP:
                raise
            self.not_copied.outside.add(path)
            return None
        return self._admit(path, st, is_trusted)

    def _admit(self, path: str, st: os.stat_result, is_trusted: bool) -> Original | None:
        is_directory = stat.S_ISDIR(st.st_mode)
        if not is_directory and not stat.S_ISREG(st.st_mode):
            self.not_copied.special.add(path)
            return None
        is_foreign = not is_directory and st.st_nlink > 1 and st.st_uid != self._owner
        if is_foreign and not is_trusted and not hard_links_are_protected():
            self.not_copied.foreign.add(path)
            return None
        if not is_directory and not is_trusted and self._is_private(path, st):
            self.not_copied.private.add_owned(path, st)
            return None
        if is_directory and self._is_protected(path):
            self.not_copied.protected.add(path)
            return None
        return Original(path, st)

    def _is_protected(self, path: str) -> bool:
        """Whether the directory holds users' data; where nothing can be, it is not opened."""
        if self._guarded is UNGUARDED_TREE:
            return False
        at = self._cursor.name(path)
        with at.pinned(PIN_DIRECTORY) as pin:
            return self._guarded.holds(pin, path, at.path)

    def _is_private(self, path: str, st: os.stat_result) -> bool:
        """Whether whoever can have put it there could not read it, so must not publish it."""
        folder = self._writable or os.fstat(self._cursor.enter(path.rpartition("/")[0])[0])
        return not can_all_writers_read(st, folder)

    def _follow(self, path: str) -> tuple[str, os.stat_result, bool]:
        """Where a symlink leads inside the source. Errors: ELOOP where it leads out of it."""
        real: list[str]
        waiting, real, links = path.split("/")[::-1], [], 0
        while waiting:
            name = waiting.pop()
            if name == "..":
                if not real:
                    raise OSError(errno.ELOOP, "it leads out of the source")
                real.pop()
                continue
            fd, _ = self._cursor.enter("/".join(real))
            if not stat.S_ISLNK(os.stat(name, dir_fd=fd, follow_symlinks=False).st_mode):
                real.append(name)
                continue
            links += 1
            target = self._inside(os.readlink(name, dir_fd=fd), real)
            if links > MOST_SYMLINKS or target is None:
                raise OSError(errno.ELOOP, "it leads out of the source, or forms a loop")
            waiting.extend(reversed(components(target)))
        return self._reached(real)

    def _reached(self, real: list[str]) -> tuple[str, os.stat_result, bool]:
        if not real:
            raise OSError(errno.ELOOP, "it leads back to the source itself")
        fd, trust = self._cursor.enter("/".join(real[:-1]))
        st = os.stat(real[-1], dir_fd=fd, follow_symlinks=False)
        if stat.S_ISLNK(st.st_mode):
            raise OSError(errno.ELOOP, "it became a symlink while it was followed")
        return "/".join(real), st, trust == "trusted"

    def _inside(self, target: str, real: list[str]) -> str | None:
        """The target relative to `real`, which is emptied for an absolute one; None if outside."""
        if not target.startswith("/"):
            return target
        inside = relative_to(target, self._path)
        if inside is not None:
            real.clear()
        return inside


@contextmanager
def open_source(
    path: str,
    guard: PlaceGuard = UNGUARDED,
    *,
    refuse: bool = False,
    copies_hidden: bool = False,
) -> Iterator[Source]:
    """The source folder `path`, without the folders in it that `guard` protects.

    `refuse`: not even to be read where it is one itself.
    Errors: FileNotFoundError, NotADirectoryError, UnsafePath, ProtectedPlace.
    """
    with pin_directory(path) as (pin, trust):
        cursor, found = DirectoryCursor(pin, trust, path), os.fstat(pin)
        writable = topmost_untrusted(pin)
        try:
            if writable and _is_private_folder(found, writable):
                raise _private_folder()
            guarded = guard.enter(pin, path, refuse=refuse)
            yield Source(pin, cursor, path, writable, guarded, copies_hidden=copies_hidden)
        finally:
            cursor.close()


def _is_private_folder(found: os.stat_result, writable: os.stat_result) -> bool:
    is_below = not os.path.samestat(found, writable)
    return is_below and not can_all_writers_enter(found, writable)


def _private_file(path: str) -> HostError:
    return HostError(
        what=f"{path} was not published",
        why="another user put it there, and cannot read it",
        fix="If it may be public: chmod o+r. If not, move it out of the source.",
    )


def _private_folder() -> UnsafePath:
    return UnsafePath(
        "another user may have moved it there, and could not read it before",
        "If it may be published, let everybody enter it: chmod o+rx.",
    )
