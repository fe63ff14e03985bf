"""Configurations held in memory, and files put together again from their parsed parts."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from reconcile.filesystem import globs
from reconcile.nginx.model.config_tree import Directive, ParsedFile
from reconcile.nginx.model.reader import Reader


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


def rebuilt(file: ParsedFile) -> bytes:
    """The file again, put together from the spans of its tree and what lies between them."""
    return b"".join(_pieces(file.data, file.directives, 0, len(file.data)))


def _pieces(
    data: bytes, directives: Iterable[Directive], position: int, end: int
) -> Iterator[bytes]:
    for directive in directives:
        yield data[position : directive.start]
        if directive.block is None:
            yield data[directive.span]
        else:
            yield from _pieces(data, directive.block, directive.start, directive.end)
        position = directive.end
    yield data[position:end]
