"""Where configuration bytes come from: a protocol, and planned files laid over it."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from typing import Protocol

from reconcile.dataclass import dataclass
from reconcile.nginx.model import globs


class Reader(Protocol):
    """What the tree needs of a host."""

    def read(self, path: str) -> bytes:
        """The file's bytes. Errors: OSError as open(2) and read(2) give it."""
        ...

    def glob(self, pattern: str) -> list[str]:
        """What glob(3) lists in the C locale: sorted by bytes, `*` without dotfiles."""
        ...


@dataclass(frozen=True)
class OverlayReader:
    """`base` with planned files over it; None stands for a file that is to go.

    A path is a name, not an inode: give a planned link's content under the
    link's own path too, because that is the name nginx reads it by.
    """

    base: Reader
    files: Mapping[str, bytes | None]

    def read(self, path: str) -> bytes:
        if path not in self.files:
            return self.base.read(path)
        data = self.files[path]
        if data is None:
            raise FileNotFoundError(errno.ENOENT, "No such file or directory", path)
        return data

    def glob(self, pattern: str) -> list[str]:
        planned = {
            path
            for path, data in self.files.items()
            if data is not None and globs.matches(pattern, path)
        }
        kept = {path for path in self.base.glob(pattern) if path not in self.files}
        return sorted(kept | planned, key=_bytes)


def _bytes(path: str) -> bytes:
    return path.encode("utf-8", "surrogateescape")
