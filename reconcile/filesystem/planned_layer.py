"""Planned entries laid over the disk, and where paths lead through them."""

from __future__ import annotations

import errno
import os
from collections.abc import Sequence
from hashlib import sha256
from posixpath import basename, dirname, join, normpath
from typing import Protocol

from reconcile.filesystem.host_error import explained
from reconcile.filesystem.inode import Ownership, Stat
from reconcile.filesystem.path import ancestors, components, is_inside, relative_to, upwards
from reconcile.filesystem.planned_entry import ABSENT, FOLDER, Entry, Link
from reconcile.filesystem.safe_path import is_private, unsafe_link

MOST_LINKS = 40
"""Symlinks followed in one path, as by the kernel."""


class Disk(Protocol):
    """What is read of the disk below the planned entries."""

    def stat(self, path: str) -> Stat | None:
        """The facts of `path`, None where absent."""

    def readlink(self, path: str) -> str:
        """The target of the symlink `path`."""


class PlannedLayer:
    """The planned entries by path; a planned symlink is followed."""

    def __init__(self, disk: Disk) -> None:
        self._disk = disk
        self.entries: dict[str, Entry] = {}
        self.touched: dict[str, set[str]] = {}
        """Directory → the names in it that are planned."""
        self._touched_below: dict[str, dict[str, str]] = {}
        """Real path of a directory → each of `touched` in it or below, with its real path."""
        self.given: dict[str, Ownership] = {}
        """Real path of a directory → the owner and mode that it gets."""
        self._links: dict[str, str | None] = {}

    def add(self, path: str, entry: Entry) -> None:
        """Lay one more entry over the disk."""
        self.entries[path] = entry
        folder = dirname(path)
        if folder not in self.touched:
            self.touched[folder], real = set(), os.path.realpath(folder)
            for above in upwards(real):
                self._touched_below.setdefault(above, {})[folder] = real
        self.touched[folder].add(basename(path))

    def locate(self, path: str, *, follow: bool = True) -> str:
        """Where `path` will lead: unchanged unless a planned entry is met on the way."""
        if not self.entries:
            return path
        here, rest, met = "/", components(path), False
        for _ in range(MOST_LINKS):
            here, rest, link = self._walk(here, rest, follow=follow)
            met = met or here in self.entries
            if link is None:
                return join(here, *rest) if met else path
            self._refuse_link(here, path)
            here, rest = "/", [*components(normpath(join(dirname(here), link))), *rest]
        with explained(f"{path} cannot be examined"):
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))

    def _walk(
        self, here: str, rest: Sequence[str], *, follow: bool
    ) -> tuple[str, list[str], str | None]:
        """Down to the first symlink: it, the names that remain, and its target."""
        for done, name in enumerate(rest, start=1):
            here = join(here, name)
            remaining = list(rest[done:])
            entry = self.entries.get(here, FOLDER)
            if entry is not FOLDER and not isinstance(entry, Link):
                return here, remaining, None
            if (remaining or follow) and (target := self._target(here)) is not None:
                return here, remaining, target
        return here, [], None

    def _refuse_link(self, link: str, path: str) -> None:
        """Errors: HostError for one in a directory that the plan lets others write."""
        given = (self.given.get(above) for above in ancestors(link))
        if any(one is not None and not is_private(one) for one in given):
            with explained(f"{path} cannot be examined"):
                raise unsafe_link(basename(link))

    def _target(self, path: str) -> str | None:
        """The target of the symlink that `path` is or will be; None for anything else."""
        entry = self.entries.get(path)
        if isinstance(entry, Link):
            return entry.target
        if path not in self._links:
            found = self._disk.stat(path)
            is_link = found is not None and found.kind == "symlink"
            self._links[path] = self._disk.readlink(path) if is_link else None
        return self._links[path]

    def entry(self, located: str) -> Entry | None:
        """What is planned there; ABSENT below what will be no directory."""
        if not self.entries:
            return None
        for above in ancestors(located):
            if isinstance(self.entries.get(above), bytes) or self.entries.get(above) is ABSENT:
                return ABSENT
        entry = self.entries.get(located)
        return None if entry is FOLDER else entry

    def is_behind_new_link(self, path: str) -> bool:
        """Whether a link is planned in the place of a directory at or above `path`."""
        links = (one for one in upwards(path) if isinstance(self.entries.get(one), Link))
        there = map(self._disk.stat, links)
        return any(found is not None and found.kind == "directory" for found in there)

    def digests_below(self, folder: str) -> dict[str, str]:
        """The digest of each file and link that is planned below `folder`."""
        below = {path: one for path, one in self.entries.items() if is_inside(path, folder)}
        links = {path: f"link:{one.target}" for path, one in below.items() if isinstance(one, Link)}
        files = {
            path: f"sha256:{sha256(one).hexdigest()}"
            for path, one in below.items()
            if isinstance(one, bytes)
        }
        return links | files

    def entries_below(self, folder: str) -> dict[str, Entry]:
        """What is planned in `folder`, by relative path; by whichever name it is reached."""
        real = os.path.realpath(folder)
        return {
            relative: self.entries[join(above, name)]
            for above, at in self._touched_below.get(real, {}).items()
            for name in self.touched[above]
            if (relative := relative_to(join(at, name), real)) is not None
        }
