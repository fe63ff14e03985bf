"""What is below a folder, in one pass: kinds, owners, modes, ACLs, targets of links."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from posixpath import join
from typing import NamedTuple

from reconcile.filesystem.acl import AclEntry, parse_acl
from reconcile.filesystem.attributes import ACL, read_attribute_at
from reconcile.filesystem.inode import Stat
from reconcile.filesystem.openat import open_subdirectory
from reconcile.filesystem.safe_path import closing, open_readable, pin_directory

DEEPEST = 64
"""Nested folders; what is deeper is left out."""
NAMES_READ = 200
"""Names that `sample_files` reads of one folder; it may hold a million."""
FOLDERS = 20
"""Folders that `sample_files` reads."""


class Item(NamedTuple):
    """One name; `path` is relative to the root, `target` that of a symlink."""

    path: str
    stat: Stat
    acl: tuple[AclEntry, ...] = ()
    target: str = ""

    @property
    def is_hidden(self) -> bool:
        """Whether its name, or that of a folder above it below the root, starts with a dot."""
        return self.path.startswith(".") or "/." in self.path


@dataclass
class Inventory:
    """All items, parents before what is in them; not `complete` where the limit was reached.

    `unreadable` are folders that this process cannot list.
    """

    root: str
    items: list[Item] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    complete: bool = True

    def of_kind(self, kind: str) -> Iterator[Item]:
        """The items of one kind."""
        return (item for item in self.items if item.stat.kind == kind)


def inventory(root: str, most: int) -> Inventory:
    """At most `most` items below `root`, no symlink followed. Errors: OSError for `root` itself."""
    found = Inventory(root)
    with pin_directory(root) as (pin, _), open_readable(pin) as fd:
        _list(found, fd, "", most, DEEPEST)
    return found


def _list(found: Inventory, fd: int, folder: str, most: int, deeper: int) -> None:
    below: list[str] = []
    for name in _first_names(fd, most + 1 - len(found.items)):
        if len(found.items) >= most:
            found.complete = False
            return
        # It may be gone by now.
        with suppress(FileNotFoundError):
            item = _item(fd, folder, name)
            found.items.append(item)
            if item.stat.kind == "directory":
                below.append(name)
    for name in below:
        _descend(found, fd, folder, name, most, deeper - 1)


def _first_names(fd: int, most: int) -> list[str]:
    """Some `most` names of a directory that may hold millions."""
    with os.scandir(fd) as entries:
        return sorted(entry.name for entry in islice(entries, most))


def _descend(found: Inventory, fd: int, folder: str, name: str, most: int, deeper: int) -> None:
    path = f"{folder}{name}/"
    if deeper == 0:
        found.complete = False
        return
    try:
        inner = open_subdirectory(fd, name)
    except OSError:
        found.unreadable.append(path)
        return
    with closing(inner):
        _list(found, inner, path, most, deeper)


def _item(fd: int, folder: str, name: str) -> Item:
    at = os.stat(name, dir_fd=fd, follow_symlinks=False)
    if stat.S_ISLNK(at.st_mode):
        return Item(folder + name, Stat.of(at), target=os.readlink(name, dir_fd=fd))
    return Item(folder + name, Stat.of(at), parse_acl(read_attribute_at(fd, name, ACL)))


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
    with pin_directory(path) as (pin, _), open_readable(pin) as fd, os.scandir(fd) as entries:
        found = [entry for entry in islice(entries, NAMES_READ) if not entry.name.startswith(".")]
        files = sorted(entry.name for entry in found if entry.is_file(follow_symlinks=False))
        folders = sorted(entry.name for entry in found if entry.is_dir(follow_symlinks=False))
        return files, folders
