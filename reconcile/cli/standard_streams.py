"""Standard output and error, which may be closed, full, or a terminal that is gone."""

from __future__ import annotations

import io
import os
import sys
from typing import TextIO


class StandardStream(io.TextIOWrapper):
    """A standard stream whose failures end no command halfway; `failure` is the first of them.

    A closed pipe still raises BrokenPipeError: who reads it wants no more.
    """

    failure: OSError | None = None

    def write(self, text: str, /) -> int:
        """Write `text`, or note why it cannot be written."""
        try:
            return super().write(text)
        except OSError as error:
            self._fail(error)
        return len(text)

    def flush(self) -> None:
        """Flush, or note why that is impossible."""
        try:
            super().flush()
        except OSError as error:
            self._fail(error)

    def _fail(self, error: OSError) -> None:
        if isinstance(error, BrokenPipeError):
            raise error
        self.failure = self.failure or error
        discard(self)


def guard_streams() -> None:
    """Make sys.stdout and sys.stderr standard streams, unless something has replaced them."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is getattr(sys, f"__{name}__") and isinstance(stream, io.TextIOWrapper):
            is_terminal = stream.isatty()
            setattr(sys, name, _guarded(stream, line_buffering=is_terminal or name == "stderr"))


def output_failure() -> OSError | None:
    """Why standard output could not be written, None where it could."""
    return getattr(sys.stdout, "failure", None)


def discard(stream: TextIO) -> None:
    """Send what is written to `stream` from now on nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)


def _guarded(stream: io.TextIOWrapper, *, line_buffering: bool) -> StandardStream:
    encoding = stream.encoding
    # A terminal that is not UTF-8 must not make a message fail.
    return StandardStream(
        stream.detach(), encoding, errors="backslashreplace", line_buffering=line_buffering
    )
