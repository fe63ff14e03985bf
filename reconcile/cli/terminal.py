"""The terminal: colour, width, and writing to it."""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime
from typing import TextIO

from reconcile.output.style import Style

NARROWEST = 20


def style(stream: TextIO | None = None) -> Style:
    """Colour on a terminal or where it is forced; a width on a terminal only.

    Source: no-color.org, force-color.org, bixense.com/clicolors.
    """
    stream = stream or sys.stdout
    is_terminal = stream.isatty()
    return Style(colour=_has_colour(is_terminal), width=_width(stream) if is_terminal else None)


def shows_progress(stream: TextIO) -> bool:
    """Whether lines may be rewritten there: a terminal that shows colour."""
    return stream.isatty() and _has_colour(is_terminal=True)


def _has_colour(is_terminal: bool) -> bool:
    if os.environ.get("NO_COLOR"):
        return False
    if _is_on("FORCE_COLOR") or _is_on("CLICOLOR_FORCE"):
        return True
    wanted = os.environ.get("CLICOLOR") != "0" and os.environ.get("TERM") != "dumb"
    return is_terminal and wanted


def _is_on(name: str) -> bool:
    return os.environ.get(name, "").lower() not in ("", "0", "false")


def is_interactive() -> bool:
    """Whether someone can answer a question."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def show(text: str) -> None:
    """Print `text` and a newline at once."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def now() -> datetime:
    """The time for a document's `timestamp`, in UTC."""
    return datetime.now(UTC)


def _width(stream: TextIO) -> int | None:
    try:
        columns = os.get_terminal_size(stream.fileno()).columns
    except OSError:
        return None
    return max(columns, NARROWEST) if columns else None
