"""Undo records of changes of files. Their fields are JSON keys on the disk: never rename one."""

from __future__ import annotations

import errno
import os
import stat
from abc import abstractmethod
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import field, replace
from posixpath import dirname, join
from typing import Any, ClassVar, Self

from reconcile.dataclass import dataclass
from reconcile.filesystem.attributes import (
    restore_attributes,
    set_owner_and_mode,
    with_states_between,
)
from reconcile.filesystem.host_error import explained
from reconcile.filesystem.inode import Ownership
from reconcile.filesystem.place_guard import ProtectedPlace
from reconcile.filesystem.read import identity, names_in
from reconcile.filesystem.safe_path import PinnedName, pin_name
from reconcile.filesystem.undo import Undo, undo_record

MISSING = "it is missing"
CHANGED_SINCE = "{} has been changed since, so it was left as it is"


@dataclass(frozen=True)
class FileUndo(Undo):
    """Undoes what was done to the name `path`."""

    writes_contents: ClassVar[bool] = False
    """Whether undoing it writes or removes a file, which is not done in a protected folder."""
    path: str

    @property
    def folder(self) -> str:
        """The directory of `path`."""
        return dirname(self.path)

    def undo(self, host: Any) -> str:
        """Restore `path`; "" or why it was left as it is. Errors: HostError."""
        with explained(f"{self.path} cannot be restored"):
            try:
                with pin_name(self.path) as at:
                    if self.writes_contents:
                        host.guard.refuse_once(at.dir_fd, self.path)
                    return self.restore(at)
            except ProtectedPlace as error:
                return error.what
            except (FileNotFoundError, NotADirectoryError):
                # Its directory is gone, or a file again, and everything to be restored with it.
                return ""

    @property
    def affects(self) -> str:
        """The path."""
        return self.path

    def remains(self, host: Any) -> str:
        """See `Undo.remains`. Errors: HostError."""
        with explained(f"{self.path} cannot be examined"):
            try:
                with pin_name(self.path) as at:
                    if self.writes_contents:
                        host.guard.refuse_once(at.dir_fd, self.path)
                    return self.difference(at)
            except (FileNotFoundError, NotADirectoryError, ProtectedPlace):
                return ""

    def difference(self, at: PinnedName) -> str:  # noqa: ARG002
        """What of the effect `at` still shows; "" for nothing. Errors: OSError."""
        return ""

    @abstractmethod
    def restore(self, at: PinnedName) -> str:
        """Undo the effect on `at`; "" or why it was left as it is. Errors: OSError."""


@undo_record
@dataclass(frozen=True)
class Replaced(FileUndo):
    """`path` got new content, written as `temp` beside it; `keep` is the old inode's place."""

    op: ClassVar[str] = "files.replaced"
    writes_contents: ClassVar[bool] = True
    temp: str
    wrote: str
    keep: str | None = None

    def restore(self, at: PinnedName) -> str:
        """Remove the new file, or give the name its old inode again."""
        _unlink_existing(replace(at, name=self.temp))
        if self.keep is None:
            return self._remove_new(at)
        return _restore_backup(at, self.keep, self.wrote)

    def difference(self, at: PinnedName) -> str:
        """It still holds the new content, or is gone altogether."""
        if self.keep is not None and at.stat() is None:
            return MISSING
        return "it holds what the apply wrote" if identity(at) == self.wrote else ""

    def _remove_new(self, at: PinnedName) -> str:
        now = identity(at)
        if now == self.wrote:
            os.unlink(at.name, dir_fd=at.dir_fd)
        return CHANGED_SINCE.format(self.path) if now not in ("", self.wrote) else ""

    def discard_backup(self) -> None:
        """Remove the old inode, and the temporary file if a kill left it."""
        with explained(f"the backup of {self.path} cannot be removed"):
            _remove_backup(join(dirname(self.path), self.temp))
            _remove_backup(self.keep)


@undo_record
@dataclass(frozen=True)
class Removed(FileUndo):
    """`path` was unlinked; its inode is kept as `keep`."""

    op: ClassVar[str] = "files.removed"
    writes_contents: ClassVar[bool] = True
    keep: str

    def restore(self, at: PinnedName) -> str:
        """Give the name its inode again."""
        return _restore_backup(at, self.keep, wrote="")

    def difference(self, at: PinnedName) -> str:
        """It is still gone."""
        return MISSING if at.stat() is None else ""

    def discard_backup(self) -> None:
        """Remove the inode for good."""
        with explained(f"the backup of {self.path} cannot be removed"):
            _remove_backup(self.keep)


@undo_record
@dataclass(frozen=True)
class MadeDirectory(FileUndo):
    """`path` was created as a directory."""

    op: ClassVar[str] = "files.made_directory"

    def difference(self, at: PinnedName) -> str:
        """It is still there, and empty, so that nobody uses it."""
        found = at.stat()
        if found is None or not stat.S_ISDIR(found.st_mode):
            return ""
        with at.pinned() as pin:
            return "" if names_in(pin) else "it still exists"

    def restore(self, at: PinnedName) -> str:
        """Remove the directory if it is empty."""
        if at.stat() is None:
            return ""
        try:
            os.rmdir(at.name, dir_fd=at.dir_fd)
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.ENOTDIR, errno.EEXIST):
                return f"{self.path} is not empty, so it was kept"
            raise
        return ""


@undo_record
@dataclass(frozen=True)
class RemovedDirectory(FileUndo):
    """The empty directory `path` was removed; mtimes of directories are not restored."""

    op: ClassVar[str] = "files.removed_directory"
    uid: int
    gid: int
    mode: int
    attributes: dict[str, str] = field(default_factory=dict)
    ino: int = 0

    @property
    def succeeds(self) -> tuple[str, str, int]:
        """Its owner and mode, which the same apply may have changed before."""
        return PermissionsChanged.op, self.path, self.ino

    def bringing_back(self, earlier: Undo) -> Self:
        """With the owner and mode that it had before those were changed."""
        if not isinstance(earlier, PermissionsChanged):
            return self
        old = {name: getattr(earlier, name) for name in ("uid", "gid", "mode", "attributes")}
        return replace(self, **old)

    def restore(self, at: PinnedName) -> str:
        """Create the directory again, as it was."""
        with suppress(FileExistsError):
            os.mkdir(at.name, 0o700, dir_fd=at.dir_fd)
        with at.pinned() as pin:
            if self._is_being_restored(pin):
                set_owner_and_mode(pin, self.uid, self.gid, self.mode)
                restore_attributes(pin, self.attributes)
        return ""

    def difference(self, at: PinnedName) -> str:
        """It is still gone."""
        return MISSING if at.stat() is None else ""

    def _is_being_restored(self, pin: int) -> bool:
        """Whether it was created just now, or by a rollback that was killed halfway."""
        st = os.fstat(pin)
        if not stat.S_ISDIR(st.st_mode) or names_in(pin):
            return False
        made, now = Ownership(os.geteuid(), st.st_gid, 0o700), Ownership.of(st)
        restored = Ownership(self.uid, self.gid, self.mode)
        # A new directory inherits group and setgid from the one above.
        modes = {one.mode for one in with_states_between((made, restored))} | {0o2700}
        return now.uid in (made.uid, restored.uid) and now.mode in modes


@undo_record
@dataclass(frozen=True)
class PermissionsChanged(FileUndo):
    """The inode `ino` under `path` had this owner, mode and these attributes, and got `given`."""

    op: ClassVar[str] = "files.meta"
    ino: int
    uid: int
    gid: int
    mode: int
    attributes: dict[str, str] = field(default_factory=dict)
    given: Sequence[Sequence[int]] = ()
    """Each Ownership that it was given; none where an older version wrote this."""

    @classmethod
    def of(cls, path: str, pin: int, attributes: dict[str, str], given: Ownership) -> Self:
        """The record for giving the pinned inode `given`."""
        st = os.fstat(pin)
        return cls(path, st.st_ino, *Ownership.of(st), attributes, [given])

    @property
    def subject(self) -> tuple[str, str, int]:
        """The inode under its name."""
        return self.op, self.path, self.ino

    def merge_with(self, later: Self) -> Self:
        """A directory may be given a mode, and then one more bit of it."""
        return replace(self, given=[*self.given, *later.given])

    def restore(self, at: PinnedName) -> str:
        """Give the inode its old owner, mode and attributes."""
        with at.pinned() as pin:
            if self._was_brought_back(os.fstat(pin)):
                return ""
            if not self._is_unmodified(os.fstat(pin)):
                return CHANGED_SINCE.format(self.path)
            set_owner_and_mode(pin, self.uid, self.gid, self.mode)
            restore_attributes(pin, self.attributes)
        return ""

    def difference(self, at: PinnedName) -> str:
        """It still has the owner and mode that it was given."""
        with at.pinned() as pin:
            st = os.fstat(pin)
        before, now = Ownership(self.uid, self.gid, self.mode), Ownership.of(st)
        is_as_given = now in {Ownership(*one) for one in self.given}
        if st.st_ino != self.ino or now == before or not is_as_given:
            return ""
        return "it has the owner and mode that the apply gave it"

    def _was_brought_back(self, st: os.stat_result) -> bool:
        """Whether it is a directory that was removed, and made again as it was."""
        return st.st_ino != self.ino and Ownership.of(st) == (self.uid, self.gid, self.mode)

    def _is_unmodified(self, st: os.stat_result) -> bool:
        """Whether nobody else has changed it: as it was, as it was given, or halfway between."""
        if st.st_ino != self.ino or not self.given:
            return st.st_ino == self.ino
        known = [Ownership(self.uid, self.gid, self.mode), *(Ownership(*one) for one in self.given)]
        now = Ownership.of(st)
        return now in with_states_between(known) or _is_halfway_of_old(now, known)


def _is_halfway_of_old(now: Ownership, known: Sequence[Ownership]) -> bool:
    """As an older version left it: the owner of one and the mode of another, less setuid."""
    modes = {mode & kept for _, _, mode in known for kept in (0o7777, 0o1777)}
    return now[:2] in {one[:2] for one in known} and now.mode in modes


def _restore_backup(at: PinnedName, keep: str, wrote: str) -> str:
    """Give the name its old inode again; a rename, so it needs no space and is all or nothing."""
    with pin_name(keep) as kept:
        old, now = kept.stat(), at.stat()
        if old is None:
            return ""
        if now is not None and (now.st_ino, now.st_dev) == (old.st_ino, old.st_dev):
            os.unlink(kept.name, dir_fd=kept.dir_fd)
        elif now is None or identity(at) == wrote:
            os.rename(kept.name, at.name, src_dir_fd=kept.dir_fd, dst_dir_fd=at.dir_fd)
        else:
            return f"{CHANGED_SINCE.format(at.path)}; its old version is kept as {keep}"
    return ""


def _remove_backup(path: str | None) -> None:
    if path is None:
        return
    try:
        with pin_name(path) as at:
            _unlink_existing(at)
    except FileNotFoundError:
        return


def _unlink_existing(at: PinnedName) -> None:
    # A read-only filesystem refuses to remove even what is not there.
    if at.stat() is not None:
        os.unlink(at.name, dir_fd=at.dir_fd)
