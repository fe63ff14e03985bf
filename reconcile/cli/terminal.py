"""What is known of the terminal, and printing to it."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import TextIO

from reconcile.output.style import Style

NARROWEST = 20


def style(stream: TextIO | None = None) -> Style:
    """Colour and width on a terminal only. Source: no-color.org."""
    stream = stream or sys.stdout
    if not stream.isatty():
        return Style()
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb"
    return Style(colour=not plain, width=_width(stream))


def interactive() -> bool:
    """Whether someone is there to answer a question."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def show(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def forget_stdout() -> None:
    """Nobody reads any more, so let everything that is still to be said go nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def now() -> datetime:
    return datetime.now(UTC)


def _width(stream: TextIO) -> int | None:
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except OSError:
        return None
    return max(columns, NARROWEST) if columns else None
