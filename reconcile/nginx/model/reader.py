"""Where the bytes of a configuration come from."""

from __future__ import annotations

from typing import Protocol


class Reader(Protocol):
    """The file access that the parser needs."""

    def read(self, path: str) -> bytes:
        """The file's bytes. Errors: OSError as open(2) and read(2) give it."""
        ...

    def glob(self, pattern: str) -> list[str]:
        """What glob(3) lists in the C locale: sorted by bytes, `*` without dotfiles."""
        ...
