"""The history of applies, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from reconcile.engine.history import HistoryEntry, HistoryRow
from reconcile.engine.model import Action
from reconcile.output import documents as doc
from reconcile.output.escape import printable
from reconcile.output.json import envelope
from reconcile.output.style import PLAIN, Style, join_blocks
from reconcile.wording import counted

_UNDOING: dict[Action, str] = {
    "create": "bring back",
    "update": "restore",
    "delete": "remove again",
}
_OPPOSITE: dict[str, Action] = {"create": "delete", "update": "update", "delete": "create"}


def history_text(rows: Sequence[HistoryRow], problems: Sequence[str], style: Style = PLAIN) -> str:
    """List the applies, the latest last, then what is damaged in the record."""
    lines = [_line(row, style) for row in rows] or ["Nothing has been applied on this host yet."]
    return "\n".join([*lines, *(style.error(f"Damaged: {printable(p)}") for p in problems)])


def rollback_preview(
    entry: HistoryEntry,
    number: int | None = None,
    sites_undone: Sequence[str] = (),
    style: Style = PLAIN,
) -> str:
    """Render what a rollback of `entry` will do, last change first.

    An unfinished apply has no number. `sites_undone` are the sites that it created.
    """
    which = "an unfinished apply" if number is None else f"apply #{number}"
    by = f"{printable(entry.by.user)} ({printable(entry.by.command)})"
    heading = style.wrap(f"Rollback will undo {which} of {entry.at} by {by}:", "", "  ")
    effects = list(_effects(entry))
    present = {action for _, action in effects}
    legend = [
        f"{style.glyph(action)} {word}" for action, word in _UNDOING.items() if action in present
    ]
    lines = [
        line
        for address, action in effects
        for line in style.wrap(f"{style.glyph(action)} {printable(address)}", "  ", "      ")
    ]
    warnings = [
        style.alarm(line)
        for site in sites_undone
        for line in style.wrap(f"Warning: the site {printable(site)} will be removed.", "", "  ")
    ]
    return join_blocks(
        [*map(style.bold, heading), *style.wrap("   ".join(legend), "  ", "  ")], lines, warnings
    )


def _effects(entry: HistoryEntry) -> Iterator[tuple[str, Action]]:
    """Yield each address with the action that undoes its change."""
    for address, action, _ in reversed(entry.changes):
        if action in _OPPOSITE:
            yield address, _OPPOSITE[action]


def _line(row: HistoryRow, style: Style) -> str:
    entry = row.entry
    changes = counted(len(entry.changes), "change")
    word = entry.result.replace("_", " ")
    result = style.good(word) if entry.result == "applied" else style.bold(word)
    error = f": {printable(entry.error)}" if entry.error else ""
    actor = f"{printable(entry.by.user)}, {printable(entry.by.command)}"
    return f"{row.number:>4}  {entry.at}  {result} ({changes}) by {actor}{error}"


def history_document(
    rows: Sequence[HistoryRow], problems: Sequence[str], host: str, exit_code: int, *, now: datetime
) -> doc.HistoryDocument:
    """Build the object of `history --json`."""
    return doc.HistoryDocument(
        **envelope(host, now),
        entries=[_item(row) for row in rows],
        problems=problems,
        exit_code=exit_code,
    )


def _item(row: HistoryRow) -> doc.HistoryItem:
    entry = row.entry
    return doc.HistoryItem.of(
        entry,
        number=row.number,
        user=entry.by.user,
        command=entry.by.command,
        git_commit=entry.by.commit,
        changes=[
            {"address": address, "action": action, "cause": cause}
            for address, action, cause in entry.changes
        ],
        config_digest=entry.config,
    )
