"""An error as a person reads it."""

from __future__ import annotations

from reconcile.output.escape import printable
from reconcile.output.style import PLAIN, Style


def error_text(what: str, why: str, fix: str, style: Style = PLAIN) -> str:
    """An error as what / why / fix, one block."""
    lines = style.wrap(f"Error: {printable(what)}", hanging="  ")
    lines[0] = lines[0].replace("Error:", style.error("Error:"), 1)
    for label, text in (("why: ", why), ("fix: ", fix)):
        for index, part in enumerate(text.splitlines()):
            lines += style.wrap(printable(part), "  " + (label if index == 0 else " " * 5), " " * 7)
    return "\n".join(lines)
