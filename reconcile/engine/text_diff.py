"""Two versions of a text as the lines that differ."""

from __future__ import annotations

from difflib import unified_diff

CONTEXT_LINES = 3
NO_NEWLINE = "\\ No newline at end of file"


def unified_lines(before: str, after: str) -> list[str]:
    """The hunks of a unified diff, without the two lines above them."""
    lines = unified_diff(_split(before), _split(after), n=CONTEXT_LINES, lineterm="")
    return [line for index, line in enumerate(lines) if index >= 2]


def _split(text: str) -> list[str]:
    """Lines as Nginx counts them: only a line feed ends one."""
    if not text:
        return []
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else [*lines, NO_NEWLINE]
