"""Keeping the old inode of a name, so that undo is one rename and needs no new space."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from reconcile.filesystem.path import helper_name, join, parent
from reconcile.filesystem.safe_path import PinnedName, pin_directory, pin_name

if TYPE_CHECKING:
    from reconcile.filesystem.undo import Recorder, Undo
    from reconcile.system import Host


def keep_old_inode(host: Host, at: PinnedName, intent: Callable[[str | None], Undo]) -> None:
    """Record `intent` with the place of the kept inode, then hard-link it there.

    `intent` gets None where nothing is there yet. Without a recorder nothing is kept.
    """
    if host.recorder is None:
        return
    found = at.stat()
    if found is None:
        host.recorder.record_undo(intent(None))
        return
    for place in backup_places(host.recorder, at, found.st_dev):
        host.recorder.record_undo(intent(place))
        if link_backup(at, place):
            # A power cut must not keep what comes next and lose this link.
            with pin_directory(parent(place)) as (pin, _):
                sync_directory(pin)
            return


def backup_places(recorder: Recorder, at: PinnedName, device: int) -> Iterator[str]:
    """Where the old inode may be kept: in the journal if on that filesystem, else beside."""
    name = helper_name(at.name, recorder.id)
    if _device(recorder.keep_dir) == device:
        yield join(recorder.keep_dir, name)
    yield join(parent(at.path), name)


def _device(path: str) -> int | None:
    with pin_name(path) as at:
        found = at.stat()
    return None if found is None else found.st_dev


def link_backup(at: PinnedName, place: str) -> bool:
    """Keep the inode of `at` under `place` too; durable once that directory is flushed.

    False where a bind mount lies between two paths of one filesystem.
    """
    with pin_name(place) as to:
        try:
            os.link(
                at.name, to.name, src_dir_fd=at.dir_fd, dst_dir_fd=to.dir_fd, follow_symlinks=False
            )
        except OSError as error:
            if error.errno == errno.EXDEV:
                return False
            raise
    return True


def sync_directory(pinned: int) -> None:
    """Make the names in a pinned directory durable."""
    fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=pinned)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
