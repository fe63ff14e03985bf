"""The guide's checklist as people tick it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconcile.engine.model import Check, CheckStatus
from reconcile.output.escape import printable
from reconcile.output.style import PLAIN, Style

MARKS: dict[CheckStatus, str] = {"pass": "[x]", "fail": "[ ]", "unknown": "[?]", "skipped": "[-]"}


def checklist_text(site: str, boxes: Iterable[tuple[str, Check]], style: Style = PLAIN) -> str:
    """A site's name, then each (title, check): its mark, and below it what was seen."""
    lines = [style.bold(printable(site))]
    for title, check in boxes:
        lines += _lines(title, check, style)
    return "\n".join(lines)


def _lines(title: str, check: Check, style: Style) -> Sequence[str]:
    first, *rest = style.wrap(title, " " * 6, " " * 9)
    mark = style.status(check.status, MARKS[check.status])
    seen = style.wrap(printable(check.detail), " " * 9)
    dressed = map(style.dim, seen) if check.status in ("pass", "skipped") else seen
    return [f"  {mark} {first.lstrip()}", *rest, *dressed]
