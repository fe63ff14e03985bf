"""Errors as text."""

from __future__ import annotations

from reconcile.output.escape import printable
from reconcile.output.style import PLAIN, Style


def error_text(what: str, why: str, fix: str, style: Style = PLAIN) -> str:
    """Render an error: what happened, why, and the fix."""
    lines = style.wrap(f"Error: {printable(what)}", hanging="  ")
    lines[0] = lines[0].replace("Error:", style.error("Error:"), 1)
    for index, part in enumerate(why.splitlines()):
        lines += style.wrap(printable(part), "  why: " if index == 0 else " " * 7, " " * 7)
    return "\n".join([*lines, *fix_lines(fix, style)])


def fix_lines(fix: str, style: Style) -> list[str]:
    """Render a fix below its error or finding; [] for ""."""
    lines: list[str] = []
    for part in fix.splitlines():
        lines += style.wrap_fix(printable(part), " " * 7 if lines else "  fix: ", " " * 7)
    return lines
