"""A reader of the configuration as a plan will leave it."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import field
from posixpath import dirname, join, normpath

from reconcile.dataclass import dataclass
from reconcile.filesystem import globs
from reconcile.filesystem.planned_entry import ABSENT, FOLDER, Entry, Link
from reconcile.nginx.model.reader import Reader
from reconcile.system import Host

Planned = Mapping[str, Entry]
"""Absolute path → content, Link, FOLDER, or ABSENT for what the plan removes."""

_MOST_LINKS = 40


@dataclass(frozen=True)
class PlannedReader:
    """`base` with the plan laid over it; planned links are followed.

    See `reader.Reader`.
    """

    host: Host
    base: Reader
    planned: Planned
    reached: set[str] = field(default_factory=set, init=False)
    """Every path that was read so far, links and their targets."""

    def read(self, path: str) -> bytes:
        """See `Reader.read`."""
        for _ in range(_MOST_LINKS):
            self.reached.add(path)
            entry = self.planned.get(path)
            if isinstance(entry, bytes):
                return entry
            if entry is ABSENT:
                raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
            target = entry.target if isinstance(entry, Link) else self._link_on_disk(path)
            if target is None:
                return self.base.read(path)
            path = normpath(join(dirname(path), target))
        raise OSError(errno.ELOOP, "Too many levels of symbolic links", path)

    def glob(self, pattern: str) -> list[str]:
        """See `Reader.glob`."""
        planned = {
            path
            for path, entry in self.planned.items()
            if entry not in (ABSENT, FOLDER) and globs.matches(pattern, path)
        }
        kept = {path for path in self.base.glob(pattern) if path not in self.planned}
        return sorted(kept | planned, key=lambda path: path.encode("utf-8", "surrogateescape"))

    def _link_on_disk(self, path: str) -> str | None:
        found = self.host.files.stat(path)
        if found is None or found.kind != "symlink":
            return None
        return self.host.files.readlink(path)
