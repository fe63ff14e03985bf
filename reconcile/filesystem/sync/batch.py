"""Many changes below one root: recorded together, made durable together."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from reconcile.filesystem.attributes import set_owner_and_mode
from reconcile.filesystem.backup import backup_places, keep_old_inode, link_backup, sync_directory
from reconcile.filesystem.file_undo import MadeDirectory, Removed, Replaced
from reconcile.filesystem.fsync import flush, sync_filesystem
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.openat import DirectoryCursor
from reconcile.filesystem.path import as_bytes, helper_name, join, parent
from reconcile.filesystem.permissions import PermissionPolicy
from reconcile.filesystem.read import identity
from reconcile.filesystem.safe_path import PinnedName
from reconcile.filesystem.sync.manifest import Signature
from reconcile.filesystem.write import NEW, inherit, make_directory, remove_directory, sweep

if TYPE_CHECKING:
    from reconcile.filesystem.undo import Undo
    from reconcile.system import Host

FEW = 16
"""Files up to which flushing each is quicker than flushing the whole filesystem."""


@dataclass
class BatchTarget:
    """A file to be given content of the digest `wrote`; `temp` is its name until it is whole."""

    path: str
    digest: str
    fill: Callable[[int], None]
    temp: str = ""
    keep: str | None = None
    old: int = 0
    """The inode that was kept; 0 where there was none."""


class WriteBatch:
    """Changes below a root whose directories are reached by `way`. Errors: OSError, HostError."""

    def __init__(self, host: Host, root: str, way: DirectoryCursor) -> None:
        self._host, self._root, self._cursor = host, root, way
        self._label = host.recorder.id if host.recorder else "new"

    def _record(self, undos: Sequence[Undo]) -> None:
        if self._host.recorder is not None and undos:
            self._host.recorder.record_undo(*undos)

    def _entry(self, path: str) -> PinnedName:
        """Good until the next one: its directory is held by the way down."""
        folder, _, name = path.rpartition("/")
        fd, guard = self._cursor.enter(folder)
        return PinnedName(join(self._root, path), fd, name, guard)

    def create_directories(self, folders: Collection[str], rule: PermissionPolicy) -> None:
        ordered = sorted(folders, key=as_bytes)
        self._record([MadeDirectory(join(self._root, path)) for path in ordered])
        for path in ordered:
            make_directory(self._entry(path), rule.uid, rule.gid, rule.directory_mode)
        self._flush(ordered)

    def write_files(
        self, targets: Sequence[BatchTarget], rule: PermissionPolicy
    ) -> dict[str, Signature]:
        """Write all beside their names, then rename them in this order; what each is then."""
        for target in targets:
            target.temp = helper_name(target.path.rpartition("/")[2], self._label)
            target.keep = self._backup_place(target.path)
        self._record(
            [
                Replaced(join(self._root, one.path), one.temp, one.digest, one.keep)
                for one in targets
            ]
        )
        try:
            self._write_all(targets, rule)
            seen = {target.path: self._finish(target) for target in targets}
        except BaseException:
            for target in targets:
                sweep(self._entry(target.path), target.temp)
            raise
        self._flush([target.path for target in targets])
        return seen

    def _backup_place(self, path: str) -> str | None:
        """Where the inode that is there now is to be kept; None where nothing is there."""
        if self._host.recorder is None:
            return None
        at = self._entry(path)
        found = at.stat()
        return None if found is None else next(backup_places(self._host.recorder, at, found.st_dev))

    def _write_all(self, targets: Sequence[BatchTarget], rule: PermissionPolicy) -> None:
        """The new beside the old, and the old kept: all of it durable, so that names may move."""
        many = len(targets) > FEW
        for target in targets:
            self._write(target, rule, flush=not many)
        for target in targets:
            if target.keep is not None:
                instead = partial(_replaced, self._root, target)
                target.old = self._keep_old(target.path, target.keep, instead)
        self._flush_kept([target.keep for target in targets], many=many)

    def _write(self, target: BatchTarget, rule: PermissionPolicy, *, flush: bool) -> None:
        at = self._entry(target.path)
        fd = os.open(target.temp, NEW, 0o600, dir_fd=at.dir_fd)
        try:
            target.fill(fd)
            inherit(at, fd)
            set_owner_and_mode(fd, rule.uid, rule.gid, rule.file_mode)
            if flush:
                os.fsync(fd)
        finally:
            os.close(fd)

    def _keep_old(self, path: str, place: str, instead: Callable[[str | None], Undo]) -> int:
        """Link the inode that is there to its place, and tell which; the caller flushes all."""
        at = self._entry(path)
        if not link_backup(at, place):
            # A bind mount lies between, so the old inode is kept beside instead.
            keep_old_inode(self._host, at, instead)
        return os.stat(at.name, dir_fd=at.dir_fd, follow_symlinks=False).st_ino

    def _flush_kept(self, kept: Collection[str | None], *, many: bool) -> None:
        """A power cut must not keep a rename, and lose what it took the name from."""
        if many:
            sync_filesystem(self._cursor.enter("")[0])
        else:
            flush(parent(place) for place in kept if place is not None)

    def _finish(self, target: BatchTarget) -> Signature:
        at = self._entry(target.path)
        # Nothing that is not kept is written over, be it new there or in place of the old.
        if self._host.recorder is not None and _inode(at) not in (None, target.old):
            raise _changing(at.path)
        os.rename(target.temp, at.name, src_dir_fd=at.dir_fd, dst_dir_fd=at.dir_fd)
        return Signature.of(os.stat(at.name, dir_fd=at.dir_fd, follow_symlinks=False))

    def remove_files(self, paths: Sequence[str]) -> None:
        """Unlink files and symlinks; what has gone meanwhile is no error."""
        kept = {path: self._backup_place(path) for path in paths}
        self._record(
            [Removed(join(self._root, path), place) for path, place in kept.items() if place]
        )
        old = {
            path: self._keep_old(path, place, partial(_removed, join(self._root, path)))
            for path, place in kept.items()
            if place is not None
        }
        self._flush_kept(kept.values(), many=len(paths) > FEW)
        for path in paths:
            at = self._entry(path)
            # What somebody has put there meanwhile is not kept, so it stays.
            if _inode(at) == old.get(path, _inode(at)):
                sweep(at, at.name)
        self._flush(paths)

    def remove_empty_directories(self, folders: Collection[str]) -> None:
        """Remove, deepest first, those of `folders` in which nothing is left."""
        for path in sorted(folders, key=as_bytes, reverse=True):
            at = self._entry(path)
            if at.stat() is not None:
                remove_directory(self._host, at)

    def unmodified(self, digests: Mapping[str, str]) -> list[str]:
        """The paths whose files still have the digest given."""
        return [path for path, wrote in digests.items() if self._identity(path) == wrote]

    def _identity(self, path: str) -> str:
        try:
            return identity(self._entry(path))
        except (FileNotFoundError, NotADirectoryError):
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


def _changing(path: str) -> HostError:
    return HostError(
        what=f"{path} was put there by somebody else while it was written",
        why="what they have put there is not kept, and would be lost",
        fix="Find out who writes there, then apply again.",
    )


def _replaced(root: str, target: BatchTarget, place: str | None) -> Replaced:
    return Replaced(join(root, target.path), target.temp, target.digest, place)


def _removed(path: str, place: str | None) -> Removed:
    return Removed(path, place or "")
