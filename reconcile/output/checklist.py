"""The guide's checklist as people tick it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconcile.engine.model import Check, CheckStatus
from reconcile.output.escape import printable
from reconcile.output.style import PLAIN, Style

MARKS: dict[CheckStatus, str] = {"pass": "[x]", "fail": "[ ]", "unknown": "[?]", "skipped": "[-]"}


def checklist_text(site: str, boxes: Iterable[tuple[str, Check]], style: Style = PLAIN) -> str:
    """A site's name, then a line for each (title, check)."""
    lines = [style.bold(printable(site))]
    for title, check in boxes:
        lines += _line(title, check, style)
    return "\n".join(lines)


def _line(title: str, check: Check, style: Style) -> Sequence[str]:
    mark = style.status(check.status, MARKS[check.status])
    first, *rest = style.wrap(f"{title}: {printable(check.detail)}", " " * 6, " " * 9)
    return [f"  {mark} {first.lstrip()}", *rest]
