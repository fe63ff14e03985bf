"""What lies below a folder, looked at once: kinds, owners, modes, ACLs, where links lead."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from posixpath import join
from typing import NamedTuple

from reconcile.filesystem.access_check import AclEntry, parse_acl
from reconcile.filesystem.attributes import ABSENT, ACL, fd_path
from reconcile.filesystem.inode import Stat
from reconcile.filesystem.safe_path import pin_directory

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
DEEPEST = 64
"""Folders in folders: what is deeper is told as left out."""


class Item(NamedTuple):
    """One name; `path` is relative to the root, `target` what a symlink says."""

    path: str
    stat: Stat
    acl: tuple[AclEntry, ...] = ()
    target: str = ""


@dataclass
class Inventory:
    """All items, parents before what is in them; `complete` unless more was there than asked for.

    `refused` are folders that we ourselves may not list.
    """

    root: str
    items: list[Item] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    complete: bool = True

    def of_kind(self, kind: str) -> Iterator[Item]:
        return (item for item in self.items if item.stat.kind == kind)


def inventory(root: str, most: int) -> Inventory:
    """At most `most` items below `root`, no symlink followed. Errors: OSError for `root` itself."""
    found = Inventory(root)
    with pin_directory(root) as (pin, _):
        top = os.open(".", _FOLDER, dir_fd=pin)
    try:
        _list(found, top, "", most, DEEPEST)
    finally:
        os.close(top)
    return found


def _list(found: Inventory, fd: int, folder: str, most: int, deeper: int) -> None:
    below: list[str] = []
    for name in sorted(os.listdir(fd)):
        if len(found.items) >= most:
            found.complete = False
            return
        # It may be gone by now, and then it is not there.
        with suppress(FileNotFoundError):
            item = _item(fd, folder, name)
            found.items.append(item)
            if item.stat.kind == "directory":
                below.append(name)
    for name in below:
        _descend(found, fd, folder, name, most, deeper - 1)


def _descend(found: Inventory, fd: int, folder: str, name: str, most: int, deeper: int) -> None:
    path = f"{folder}{name}/"
    if deeper == 0:
        found.complete = False
        return
    try:
        inner = os.open(name, _FOLDER, dir_fd=fd)
    except OSError:
        found.refused.append(path)
        return
    try:
        _list(found, inner, path, most, deeper)
    finally:
        os.close(inner)


def _item(fd: int, folder: str, name: str) -> Item:
    at = os.stat(name, dir_fd=fd, follow_symlinks=False)
    if stat.S_ISLNK(at.st_mode):
        return Item(folder + name, Stat.of(at), target=os.readlink(name, dir_fd=fd))
    return Item(folder + name, Stat.of(at), _acl(fd, name))


def _acl(fd: int, name: str) -> tuple[AclEntry, ...]:
    try:
        # nginx opens the name; so does this, and a link put there meanwhile is not followed.
        value = os.getxattr(f"{fd_path(fd)}/{name}", ACL, follow_symlinks=False)
    except OSError as error:
        if error.errno in ABSENT:
            return ()
        raise
    return parse_acl(value)


NAMES_READ = 200
"""Names read of one folder; it may hold a million."""
FOLDERS = 20


def sample_files(root: str, most: int) -> tuple[str, ...]:
    """Up to `most` plain files below `root`, one of each folder, as relative names.

    Names that begin with a dot are left out. Errors: OSError.
    """
    found: list[str] = []
    folders = [""]
    for folder in folders:
        files, inner = _files_and_folders(join(root, folder) if folder else root)
        found += [join(folder, name) for name in files[:1]]
        folders += [join(folder, name) for name in inner[: FOLDERS - len(folders)]]
        if len(found) >= most:
            break
    return tuple(found[:most])


def _files_and_folders(path: str) -> tuple[list[str], list[str]]:
    """Plain files and folders among the first names of the folder, each sorted."""
    with pin_directory(path) as (pin, _):
        fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=pin)
    try:
        with os.scandir(fd) as names:
            seen = [name for name in islice(names, NAMES_READ) if not name.name.startswith(".")]
            files = sorted(name.name for name in seen if name.is_file(follow_symlinks=False))
            folders = sorted(name.name for name in seen if name.is_dir(follow_symlinks=False))
            return files, folders
    finally:
        os.close(fd)
