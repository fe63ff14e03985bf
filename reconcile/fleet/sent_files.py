"""The files that a host is given, as the text of its script's standard input: a tar in base64."""

from __future__ import annotations

import os
from base64 import b64encode
from collections.abc import Iterator, Mapping
from tarfile import BLOCKSIZE, GNU_FORMAT, TarInfo

COMPLETE = "complete"
"""The last file: without it, the controller ended while it sent them."""
_CHUNK = 48 << 10
# Three bytes are four characters: a line ends without padding, except for the last one.
_GROUP = 3


class SentFiles(tuple[tuple[str, "str | bytes"], ...]):
    """Name → path, or content. Iterates over the lines, so that no file is held in memory.

    A tuple, since pyinfra sends any other object as one line.
    """

    __slots__ = ()

    @classmethod
    def of(cls, files: Mapping[str, str | bytes]) -> SentFiles:
        """The files as standard input."""
        return cls((*files.items(), (COMPLETE, b"")))

    def __iter__(self) -> Iterator[str]:  # type: ignore[override]  # what pyinfra writes
        left = b""
        for part in self._tar():
            left += part
            whole = len(left) - len(left) % _GROUP
            yield b64encode(left[:whole]).decode()
            left = left[whole:]
        yield b64encode(left).decode()

    def _tar(self) -> Iterator[bytes]:
        for number in range(len(self)):
            name, source = self[number]
            entry = TarInfo(name)
            entry.mode = 0o600
            entry.size = len(source) if isinstance(source, bytes) else os.stat(source).st_size
            yield entry.tobuf(GNU_FORMAT)
            yield from (source,) if isinstance(source, bytes) else _chunks(source)
            yield bytes(-entry.size % BLOCKSIZE)
        yield bytes(2 * BLOCKSIZE)


def _chunks(path: str) -> Iterator[bytes]:
    with open(path, "rb") as file:
        while data := file.read(_CHUNK):
            yield data
