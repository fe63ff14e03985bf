"""Keep the old inode of a name, so that undo is one rename and needs no new space."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterator
from posixpath import dirname, join

from reconcile.filesystem.fsync import sync_directory
from reconcile.filesystem.path import helper_name
from reconcile.filesystem.safe_path import PinnedName, pin_directory, pin_name
from reconcile.filesystem.undo import Recorder, Undo


def keep_old_inode(
    recorder: Recorder | None,
    at: PinnedName,
    undo_with: Callable[[str | None], Undo],
    beside: str = "",
) -> None:
    """Record `undo_with(place)`, then hard-link the old inode to that place; see `backup_places`.

    `undo_with` gets None where the name does not exist yet. Nothing is kept without a recorder.
    """
    if recorder is None:
        return
    found = at.stat()
    if found is None:
        recorder.record_undo(undo_with(None))
        return
    for place in backup_places(recorder, at, found.st_dev, beside):
        recorder.record_undo(undo_with(place))
        if link_backup(at, place):
            # A power cut must not keep the change that follows and lose this link.
            with pin_directory(dirname(place)) as (pin, _):
                sync_directory(pin)
            return


def backup_places(
    recorder: Recorder, at: PinnedName, device: int, beside: str = ""
) -> Iterator[str]:
    """Where the old inode can be kept: in the journal if on that filesystem, else beside it.

    `beside` is another directory of that filesystem, where its own is removed, too.
    """
    name = helper_name(at.name, recorder.id)
    with pin_name(recorder.keep_dir) as keep_dir:
        found = keep_dir.stat()
    if found is not None and found.st_dev == device:
        yield join(recorder.keep_dir, name)
    yield join(beside or dirname(at.path), name)


def link_backup(at: PinnedName, place: str) -> bool:
    """Hard-link the inode of `at` to `place`; durable once that directory is flushed.

    False where a bind mount separates two paths of one filesystem.
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
