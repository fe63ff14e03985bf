"""Change one name at a time, each effect recorded before it happens."""

from __future__ import annotations

import errno
import os
import stat
from functools import partial
from hashlib import sha256
from posixpath import join

from reconcile.filesystem.atomic_write import symlink_atomically, write_atomically
from reconcile.filesystem.attributes import (
    affected_attributes,
    all_attributes,
    copy_attributes,
    fd_path,
    set_owner_and_mode,
)
from reconcile.filesystem.backup import keep_old_inode
from reconcile.filesystem.file_undo import (
    MadeDirectory,
    PermissionsChanged,
    Removed,
    RemovedDirectory,
    Replaced,
)
from reconcile.filesystem.fsync import sync_directory
from reconcile.filesystem.host_error import ChangedSincePlan, HostError
from reconcile.filesystem.inode import Ownership, Stat
from reconcile.filesystem.path import helper_name
from reconcile.filesystem.permissions import refuse_unsafe_change
from reconcile.filesystem.place_guard import UNGUARDED, PlaceGuard
from reconcile.filesystem.read import names_in, refuse_changed
from reconcile.filesystem.safe_path import PIN_DIRECTORY, PinnedName, pin_name
from reconcile.filesystem.undo import Recorder


def write(
    recorder: Recorder | None,
    path: str,
    data: bytes,
    *,
    uid: int,
    gid: int,
    mode: int,
    expected: str | None = None,
    guard: PlaceGuard = UNGUARDED,
) -> None:
    """Give `path` this content, owner and mode in one step: old or new, never torn.

    `expected` is the `identity` that was observed, "" for absent; None: not observed.
    Errors: ChangedSincePlan where it holds something else.
    """

    def set_permissions(fd: int) -> None:
        """Keep what the old file had beside owner and mode, which are set."""
        inherit_attributes(at, fd)
        set_owner_and_mode(fd, uid, gid, mode)

    with pin_name(path) as at:
        guard.refuse(at.dir_fd, path)
        _refuse_directory(at, expected)
        temp, wrote = temporary_name(recorder, at.name), f"sha256:{sha256(data).hexdigest()}"
        keep_old_inode(recorder, at, lambda place: Replaced(path, temp, wrote, place))
        write_atomically(
            at, temp, data, set_permissions, check=partial(refuse_changed, at, expected)
        )


def temporary_name(recorder: Recorder | None, name: str) -> str:
    """A name for the new file until it is complete."""
    return helper_name(name, recorder.id if recorder else "new")


def _refuse_directory(at: PinnedName, expected: str | None) -> None:
    found = at.stat()
    if found is not None and stat.S_ISDIR(found.st_mode):
        refuse_changed(at, expected)
        raise IsADirectoryError(errno.EISDIR, "Is a directory")


def inherit_attributes(at: PinnedName, fd: int) -> None:
    """Give the new file `fd` the extended attributes of the regular file it will replace."""
    found = at.stat()
    if found is None or not stat.S_ISREG(found.st_mode):
        return
    with at.pinned() as pin:
        if stat.S_ISREG(os.fstat(pin).st_mode):
            copy_attributes(pin, fd)


def symlink(
    recorder: Recorder | None,
    path: str,
    target: str,
    expected: str | None = None,
    guard: PlaceGuard = UNGUARDED,
) -> None:
    """Make `path` a symlink to `target`, atomically in place of a file or symlink.

    Errors: ChangedSincePlan where it does not hold what is `expected`.
    """
    with pin_name(path) as at:
        guard.refuse(at.dir_fd, path)
        _refuse_directory(at, expected)
        temp = temporary_name(recorder, at.name)
        keep_old_inode(recorder, at, lambda place: Replaced(path, temp, f"link:{target}", place))
        symlink_atomically(at, temp, target, partial(refuse_changed, at, expected))


def unlink(
    recorder: Recorder | None, path: str, expected: str | None = None, guard: PlaceGuard = UNGUARDED
) -> None:
    """Remove the file or symlink `path`; nothing to do where it is gone.

    Errors: ChangedSincePlan where it does not hold what is `expected`.
    """
    with pin_name(path) as at:
        if at.stat() is None:
            refuse_changed(at, expected)
            return
        guard.refuse(at.dir_fd, path)
        _refuse_directory(at, expected)
        keep_old_inode(recorder, at, lambda place: Removed(path, place or ""))
        refuse_changed(at, expected)
        os.unlink(at.name, dir_fd=at.dir_fd)
        sync_directory(at.dir_fd)


def mkdir(recorder: Recorder | None, path: str, *, uid: int, gid: int, mode: int) -> None:
    """Create the directory `path`; its parent must exist, itself must not."""
    with pin_name(path) as at:
        if at.stat() is not None:
            raise ChangedSincePlan(path, "it did not exist then")
        if recorder is not None:
            recorder.record_undo(MadeDirectory(path))
        make_directory(at, uid, gid, mode)
        sync_directory(at.dir_fd)


def make_directory(at: PinnedName, uid: int, gid: int, mode: int) -> None:
    """Create `at`, which must not exist; neither recorded nor made durable here."""
    os.mkdir(at.name, 0o700, dir_fd=at.dir_fd)
    with at.pinned(PIN_DIRECTORY) as pin:
        _refuse_swapped(pin, at)
        set_owner_and_mode(pin, uid, gid, mode)


def _refuse_swapped(pin: int, at: PinnedName) -> None:
    """Where others can write, the new directory may already be replaced by another one."""
    found = os.fstat(pin)
    if found.st_uid != os.geteuid() or names_in(pin):
        raise HostError(
            what=f"{at.path} was replaced while it was created",
            why="somebody else can write to the directory it is in",
            fix=f"Give the directory of {at.path} to root, writable by nobody else.",
        )


def rmdir(recorder: Recorder | None, path: str, guard: PlaceGuard = UNGUARDED) -> bool:
    """Remove the directory `path`; False, and nothing is done, where it is not empty."""
    with pin_name(path) as at:
        return remove_directory(recorder, at, guard)


def remove_directory(
    recorder: Recorder | None, at: PinnedName, guard: PlaceGuard = UNGUARDED
) -> bool:
    """Remove `at`, recorded; False where it is not empty."""
    with at.pinned(PIN_DIRECTORY) as pin:
        guard.refuse(pin, at.path)
        st, attributes = os.fstat(pin), all_attributes(pin)
    if recorder is not None:
        recorder.record_undo(RemovedDirectory(at.path, *Ownership.of(st), attributes, st.st_ino))
    try:
        os.rmdir(at.name, dir_fd=at.dir_fd)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    sync_directory(at.dir_fd)
    return True


def set_permissions(
    recorder: Recorder | None,
    path: str,
    *,
    uid: int,
    gid: int,
    mode: int,
    expected: Stat | None = None,
) -> None:
    """Give the file or directory `path` this owner and exactly this mode.

    Errors: ChangedSincePlan where its owner or mode is not what is `expected`.
    """
    with pin_name(path, follow=True) as at, at.pinned() as pin:
        found = os.fstat(pin)
        if expected and expected.ownership != Ownership.of(found):
            raise ChangedSincePlan(path, "its owner or mode has changed")
        if expected is None or not _is_same(expected, Stat.of(found)):
            refuse_unsafe_change(at, found, Ownership(uid, gid, mode))
        if recorder is not None:
            given = Ownership(uid, gid, mode)
            # Behind a link it is found again where it lies.
            lies = join(os.readlink(fd_path(at.dir_fd)), at.name)
            undo = PermissionsChanged.of(lies, pin, affected_attributes(pin), given)
            recorder.record_undo(undo)
        set_owner_and_mode(pin, uid, gid, mode)


def _is_same(expected: Stat, found: Stat) -> bool:
    """Whether it is the inode that was found where it could be changed: nobody has planted it."""
    if (expected.dev, expected.ino) != (found.dev, found.ino):
        return False
    # Nobody can give a directory a second name; it changes with the names in it.
    return found.kind == "directory" or expected.ctime_ns == found.ctime_ns


def refuse_giving(path: str, wanted: Ownership) -> None:
    """Check what `set_permissions` would check. Errors: HostError."""
    with pin_name(path, follow=True) as at, at.pinned() as pin:
        refuse_unsafe_change(at, os.fstat(pin), wanted)
