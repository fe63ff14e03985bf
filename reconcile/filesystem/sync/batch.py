"""Change many files below one root: recorded together, made durable together."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from posixpath import dirname, join

from reconcile.dataclass import dataclass
from reconcile.filesystem.atomic_write import NEW_FILE, unlink_if_exists
from reconcile.filesystem.attributes import set_owner_and_mode
from reconcile.filesystem.backup import backup_places, keep_old_inode, link_backup
from reconcile.filesystem.file_undo import MadeDirectory, Removed, Replaced
from reconcile.filesystem.fsync import FEW, flush, sync_directory, sync_filesystem
from reconcile.filesystem.host_error import ChangedSincePlan
from reconcile.filesystem.openat import DirectoryCursor
from reconcile.filesystem.path import is_helper_name
from reconcile.filesystem.permissions import PermissionPolicy
from reconcile.filesystem.place_guard import ProtectedPlace
from reconcile.filesystem.read import identity
from reconcile.filesystem.safe_path import PinnedName, closing
from reconcile.filesystem.sync.manifest_row import Signature
from reconcile.filesystem.undo import Recorder, Undo
from reconcile.filesystem.write import (
    inherit_attributes,
    make_directory,
    remove_directory,
    temporary_name,
)


@dataclass(frozen=False)
class BatchTarget:
    """A file to be written with content of this digest; `temp` is its name until complete."""

    path: str
    digest: str
    fill: Callable[[int], None]
    temp: str = ""
    keep: str | None = None
    old: int = 0
    """The inode that was kept; 0 where there was none."""


class WriteBatch:
    """Changes below the root of `cursor`, of what is as it was observed.

    `observed` has the packed signature of each file that is written over or removed;
    None: whatever is there. `leaving` are the directories that are removed at the end, in which
    nothing is kept. Errors: OSError, HostError, ChangedSincePlan.
    """

    def __init__(
        self,
        recorder: Recorder | None,
        root: str,
        cursor: DirectoryCursor,
        observed: Mapping[str, bytes] | None = None,
        leaving: Collection[str] = (),
    ) -> None:
        self._recorder, self._root, self._cursor = recorder, root, cursor
        self._observed, self._leaving = observed, frozenset(leaving)

    def _record(self, undos: Sequence[Undo]) -> None:
        if self._recorder is not None and undos:
            self._recorder.record_undo(*undos)

    def create_directories(self, folders: Collection[str], policy: PermissionPolicy) -> None:
        """Create directories, upper ones first."""
        ordered = sorted(folders, key=os.fsencode)
        for path in ordered:
            if self._stat(path) is not None:
                raise ChangedSincePlan(join(self._root, path), "it did not exist then")
        self._record([MadeDirectory(join(self._root, path)) for path in ordered])
        for path in ordered:
            make_directory(self._cursor.name(path), policy.uid, policy.gid, policy.directory_mode)
        self._flush(ordered)

    def write_files(
        self, targets: Sequence[BatchTarget], policy: PermissionPolicy
    ) -> dict[str, Signature]:
        """Write all beside their names, then rename them in this order; path → its signature."""
        for target in targets:
            target.temp = temporary_name(self._recorder, target.path.rpartition("/")[2])
            target.keep = self._backup_place(target.path)
        self._record([_replaced(self._root, target, target.keep) for target in targets])
        try:
            self._write_all(targets, policy)
            written = {target.path: self._finish(target) for target in targets}
        except BaseException:
            for target in targets:
                unlink_if_exists(self._cursor.name(target.path), target.temp)
            raise
        self._flush([target.path for target in targets])
        return written

    def _stat(self, path: str) -> os.stat_result | None:
        try:
            return self._cursor.name(path).stat()
        except (FileNotFoundError, NotADirectoryError):
            return None

    def _backup_place(self, path: str) -> str | None:
        """Where the inode that is there now is to be kept; None where nothing is there."""
        found = self._stat(path)
        self._refuse_changed(path, found)
        if self._recorder is None or found is None:
            return None
        at, beside = self._cursor.name(path), self._staying_above(path)
        return next(backup_places(self._recorder, at, found.st_dev, beside))

    def _staying_above(self, path: str) -> str:
        """The nearest directory above `path` that is not removed."""
        folder = dirname(path)
        while folder in self._leaving:
            folder = dirname(folder)
        return join(self._root, folder) if folder else self._root

    def _refuse_changed(
        self, path: str, found: os.stat_result | None, *, is_kept: bool = False
    ) -> None:
        """Check that a name holds what was observed; once that `is_kept`, its ctime is new."""
        if self._observed is None:
            return
        now = None if found is None else Signature.of(found)
        packed = self._observed.get(path)
        then = None if packed is None else Signature.unpack(packed)
        if now == then or (is_kept and now and then and now.content == then.content):
            return
        raise ChangedSincePlan(join(self._root, path), _how_changed(then, now))

    def _write_all(self, targets: Sequence[BatchTarget], policy: PermissionPolicy) -> None:
        """Write the new beside the old, and keep the old: all durable, so that names can move."""
        many = len(targets) > FEW
        for target in targets:
            self._write(target, policy, flush=not many)
        for target in targets:
            if target.keep is not None:
                undo_with = partial(_replaced, self._root, target)
                target.old = self._keep_old(target.path, target.keep, undo_with)
        self._flush_kept([target.keep for target in targets], many=many)

    def _write(self, target: BatchTarget, policy: PermissionPolicy, *, flush: bool) -> None:
        at = self._cursor.name(target.path)
        with closing(os.open(target.temp, NEW_FILE, 0o600, dir_fd=at.dir_fd)) as fd:
            target.fill(fd)
            inherit_attributes(at, fd)
            set_owner_and_mode(fd, policy.uid, policy.gid, policy.file_mode)
            if flush:
                os.fsync(fd)

    def _keep_old(self, path: str, place: str, undo_with: Callable[[str | None], Undo]) -> int:
        """Link the inode that is there to its place; return its number. The caller flushes."""
        at = self._cursor.name(path)
        if not link_backup(at, place):
            # A bind mount is in between, so the old inode is kept beside instead.
            keep_old_inode(self._recorder, at, undo_with, self._staying_above(path))
        return os.stat(at.name, dir_fd=at.dir_fd, follow_symlinks=False).st_ino

    def _flush_kept(self, kept: Collection[str | None], *, many: bool) -> None:
        """A power cut must not keep a rename, and lose what it took the name from."""
        if many:
            sync_filesystem(self._cursor.enter("")[0])
        else:
            flush(dirname(place) for place in kept if place is not None)

    def _finish(self, target: BatchTarget) -> Signature:
        at = self._cursor.name(target.path)
        # Nothing that is not kept is overwritten, whether new there or in place of the old.
        self._refuse_changed(target.path, at.stat(), is_kept=True)
        os.rename(target.temp, at.name, src_dir_fd=at.dir_fd, dst_dir_fd=at.dir_fd)
        return Signature.of(os.stat(at.name, dir_fd=at.dir_fd, follow_symlinks=False))

    def remove_files(self, paths: Sequence[str]) -> None:
        """Unlink files and symlinks; one that is gone is no error."""
        kept = {path: self._backup_place(path) for path in paths}
        places = {path: place for path, place in kept.items() if place is not None}
        self._record([Removed(join(self._root, path), place) for path, place in places.items()])
        old = {
            path: self._keep_old(path, place, partial(_removed, join(self._root, path)))
            for path, place in places.items()
        }
        self._flush_kept(kept.values(), many=len(paths) > FEW)
        for path in paths:
            at = self._cursor.name(path)
            self._refuse_changed(path, at.stat(), is_kept=True)
            # What somebody has put there in the meantime is not kept, so it stays.
            if _inode(at) == old.get(path, _inode(at)):
                unlink_if_exists(at, at.name)
        self._flush(paths)

    def remove_empty_directories(self, folders: Collection[str]) -> None:
        """Remove, deepest first, those of `folders` that are empty and not protected."""
        for path in sorted(folders, key=os.fsencode, reverse=True):
            try:
                if self._cursor.is_protected(path):
                    continue
            except (FileNotFoundError, NotADirectoryError):
                self._refuse_moved(path, "it no longer exists")
                continue
            at = self._cursor.name(path)
            if not remove_directory(self._recorder, at) and self._holds_more(path):
                self._refuse_moved(path, "it is not empty any more")

    def _refuse_moved(self, path: str, why: str) -> None:
        if self._observed is not None:
            raise ChangedSincePlan(join(self._root, path), why)

    def _holds_more(self, path: str) -> bool:
        """Whether there is more in it than what undo needs."""
        with self._cursor.listing(path) as at:
            return not all(is_helper_name(name) for name in at.names)

    def unmodified(self, digests: Mapping[str, str]) -> list[str]:
        """The paths whose files still have the digest given, and are not protected."""
        return [path for path, digest in digests.items() if self._identity(path) == digest]

    def _identity(self, path: str) -> str:
        try:
            return identity(self._cursor.name(path))
        except (FileNotFoundError, NotADirectoryError, ProtectedPlace):
            return ""

    def _flush(self, paths: Sequence[str]) -> None:
        """Make the names durable."""
        folders = {path.rpartition("/")[0] for path in paths}
        if len(folders) > FEW:
            sync_filesystem(self._cursor.enter("")[0])
            return
        for folder in sorted(folders):
            sync_directory(self._cursor.enter(folder)[0])


def _inode(at: PinnedName) -> int | None:
    found = at.stat()
    return None if found is None else found.st_ino


def _how_changed(then: Signature | None, now: Signature | None) -> str:
    if now is None:
        return "it no longer exists"
    return "it did not exist then" if then is None else "another process wrote or replaced it"


def _replaced(root: str, target: BatchTarget, place: str | None) -> Replaced:
    return Replaced(join(root, target.path), target.temp, target.digest, place)


def _removed(path: str, place: str | None) -> Removed:
    return Removed(path, place or "")
