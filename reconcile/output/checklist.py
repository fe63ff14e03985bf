"""The checklist of a site."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from reconcile.engine.model import Check, CheckStatus
from reconcile.output.escape import printable
from reconcile.output.style import PLAIN, Style

MARKS: dict[CheckStatus, str] = {"pass": "[x]", "fail": "[ ]", "unknown": "[?]", "skipped": "[-]"}


def checklist_text(site: str, items: Iterable[tuple[str, Check]], style: Style = PLAIN) -> str:
    """Render a site's name, then each (title, check) with its mark and its detail."""
    lines = [style.bold(printable(site))]
    for title, check in items:
        lines += _item_lines(title, check, style)
    return "\n".join(lines)


def _item_lines(title: str, check: Check, style: Style) -> Sequence[str]:
    first, *rest = style.wrap(title, " " * 6, " " * 9)
    mark = style.status(check.status, MARKS[check.status])
    details = style.wrap(printable(check.detail), " " * 9)
    if check.status in ("pass", "skipped"):
        details = [style.dim(line) for line in details]
    return [f"  {mark} {first.lstrip()}", *rest, *details]
