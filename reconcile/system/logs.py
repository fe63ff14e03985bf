"""The end of a log that others write: from where we were, never all of it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from reconcile.filesystem.host_error import explained
from reconcile.filesystem.read import opened, stat_of
from reconcile.filesystem.safe_path import entry

LIMIT = 1 << 20


@dataclass(frozen=True)
class LogPosition:
    """The present end of a log; all of a file that takes its place later is new."""

    path: str
    ino: int
    offset: int

    @classmethod
    def at_end_of(cls, path: str) -> LogPosition:
        """Errors: HostError where it may not be looked at."""
        with explained(f"{path} cannot be examined"):
            found = stat_of(path, follow=True)
        return cls(path, found.ino, found.size) if found else cls(path, 0, 0)

    def news(self) -> bytes:
        """What was written since, its first LIMIT bytes; nothing where there is no file.

        Errors: HostError where it may not be read.
        """
        with explained(f"{self.path} cannot be read"):
            try:
                with entry(self.path, follow=True) as at, opened(at) as fd:
                    same = os.fstat(fd).st_ino == self.ino
                    return os.pread(fd, LIMIT, self.offset if same else 0)
            except FileNotFoundError:
                return b""
