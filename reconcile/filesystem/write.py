"""Changing: one name at a time, each effect recorded before it happens."""

from __future__ import annotations

import errno
import os
import stat
from hashlib import sha256
from typing import TYPE_CHECKING

from reconcile.filesystem.attributes import (
    affected_attributes,
    all_attributes,
    copy_attributes,
    set_owner_and_mode,
)
from reconcile.filesystem.backup import keep_old_inode, sync_directory
from reconcile.filesystem.file_undo import (
    MadeDirectory,
    Ownership,
    PermissionsChanged,
    Removed,
    RemovedDirectory,
    Replaced,
)
from reconcile.filesystem.host_error import HostError
from reconcile.filesystem.path import helper_name
from reconcile.filesystem.permissions import refuse_unsafe_change
from reconcile.filesystem.read import names_in
from reconcile.filesystem.safe_path import PIN_DIRECTORY, PinnedName, pin_name

if TYPE_CHECKING:
    from reconcile.system import Host

NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def write(host: Host, path: str, data: bytes, uid: int, gid: int, mode: int) -> None:
    """Give `path` this content, owner and mode in one step: old or new, never torn."""
    with pin_name(path) as at:
        _refuse_directory(at)
        temp, wrote = helper_name(at.name, _label(host)), f"sha256:{sha256(data).hexdigest()}"
        keep_old_inode(host, at, lambda place: Replaced(path, temp, wrote, place))
        try:
            _fill(at, temp, data, uid, gid, mode)
            os.rename(temp, at.name, src_dir_fd=at.dir_fd, dst_dir_fd=at.dir_fd)
        except BaseException:
            sweep(at, temp)
            raise
        # Without this a power cut can roll the rename back.
        sync_directory(at.dir_fd)


def _label(host: Host) -> str:
    return host.recorder.id if host.recorder else "new"


def _refuse_directory(at: PinnedName) -> None:
    found = at.stat()
    if found is not None and stat.S_ISDIR(found.st_mode):
        raise IsADirectoryError(errno.EISDIR, "Is a directory")


def _fill(at: PinnedName, temp: str, data: bytes, uid: int, gid: int, mode: int) -> None:
    fd = os.open(temp, NEW, 0o600, dir_fd=at.dir_fd)
    with os.fdopen(fd, "wb") as file:
        file.write(data)
        file.flush()
        inherit(at, fd)
        set_owner_and_mode(fd, uid, gid, mode)
        os.fsync(fd)


def inherit(at: PinnedName, fd: int) -> None:
    """Give the new file `fd` the extended attributes of the regular file it will replace."""
    found = at.stat()
    if found is None or not stat.S_ISREG(found.st_mode):
        return
    pin = at.pin()
    try:
        if stat.S_ISREG(os.fstat(pin).st_mode):
            copy_attributes(pin, fd)
    finally:
        os.close(pin)


def sweep(at: PinnedName, temp: str) -> None:
    """Remove a name beside `at`, if it is there."""
    try:
        os.unlink(temp, dir_fd=at.dir_fd)
    except FileNotFoundError:
        return


def symlink(host: Host, path: str, target: str) -> None:
    """Make `path` a symlink to `target`, atomically in place of whatever file it was."""
    with pin_name(path) as at:
        _refuse_directory(at)
        temp = helper_name(at.name, _label(host))
        keep_old_inode(host, at, lambda place: Replaced(path, temp, f"link:{target}", place))
        try:
            os.symlink(target, temp, dir_fd=at.dir_fd)
            os.rename(temp, at.name, src_dir_fd=at.dir_fd, dst_dir_fd=at.dir_fd)
        except BaseException:
            sweep(at, temp)
            raise
        sync_directory(at.dir_fd)


def unlink(host: Host, path: str) -> None:
    """Remove the file or symlink `path`; nothing to do where it is gone."""
    with pin_name(path) as at:
        if at.stat() is None:
            return
        _refuse_directory(at)
        keep_old_inode(host, at, lambda place: Removed(path, place or ""))
        os.unlink(at.name, dir_fd=at.dir_fd)
        sync_directory(at.dir_fd)


def mkdir(host: Host, path: str, uid: int, gid: int, mode: int) -> None:
    """Make the directory `path`; its parent must exist, itself must not."""
    with pin_name(path) as at:
        if at.stat() is not None:
            raise FileExistsError(errno.EEXIST, "File exists")
        if host.recorder is not None:
            host.recorder.record_undo(MadeDirectory(path))
        make_directory(at, uid, gid, mode)
        sync_directory(at.dir_fd)


def make_directory(at: PinnedName, uid: int, gid: int, mode: int) -> None:
    """Make `at`, which must not exist; not recorded and not yet durable."""
    os.mkdir(at.name, 0o700, dir_fd=at.dir_fd)
    pin = os.open(at.name, PIN_DIRECTORY, dir_fd=at.dir_fd)
    try:
        _refuse_swapped(pin, at)
        set_owner_and_mode(pin, uid, gid, mode)
    finally:
        os.close(pin)


def _refuse_swapped(pin: int, at: PinnedName) -> None:
    """Where others may write, what we just made may already be something else."""
    found = os.fstat(pin)
    if found.st_uid != os.geteuid() or names_in(pin):
        raise HostError(
            what=f"{at.path} was swapped while it was made",
            why="somebody else may write to the directory it is in",
            fix=f"Give the directory of {at.path} to root, writable by nobody else.",
        )


def rmdir(host: Host, path: str) -> bool:
    """Remove the directory `path`; False where anything is in it, and nothing was done."""
    with pin_name(path) as at:
        return remove_directory(host, at)


def remove_directory(host: Host, at: PinnedName) -> bool:
    """Remove `at`, recorded; False where anything is in it."""
    pin = os.open(at.name, PIN_DIRECTORY, dir_fd=at.dir_fd)
    try:
        st, attributes = os.fstat(pin), all_attributes(pin)
    finally:
        os.close(pin)
    if host.recorder is not None:
        mode = stat.S_IMODE(st.st_mode)
        host.recorder.record_undo(RemovedDirectory(at.path, st.st_uid, st.st_gid, mode, attributes))
    try:
        os.rmdir(at.name, dir_fd=at.dir_fd)
    except OSError as error:
        if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
            return False
        raise
    sync_directory(at.dir_fd)
    return True


def set_meta(host: Host, path: str, uid: int, gid: int, mode: int) -> None:
    """Give the file or directory `path` this owner and exactly this mode."""
    with pin_name(path, follow=True) as at:
        pin = at.pin()
        try:
            refuse_unsafe_change(at, os.fstat(pin), uid)
            if host.recorder is not None:
                given = Ownership(uid, gid, mode)
                host.recorder.record_undo(
                    PermissionsChanged.of(path, pin, affected_attributes(pin), given)
                )
            set_owner_and_mode(pin, uid, gid, mode)
        finally:
            os.close(pin)
