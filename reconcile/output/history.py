"""What was applied on a host, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from reconcile.engine.history import HistoryEntry, HistoryRow
from reconcile.engine.model import Action
from reconcile.output import documents as doc
from reconcile.output.escape import printable
from reconcile.output.json import head
from reconcile.output.style import GLYPHS, PLAIN, Style


def history_text(rows: Sequence[HistoryRow], problems: Sequence[str], style: Style = PLAIN) -> str:
    """A line for each apply, the latest last; then whatever is wrong with the record."""
    lines = [_line(row, style) for row in rows] or ["Nothing was applied here yet."]
    return "\n".join([*lines, *(style.error(f"Damaged: {printable(p)}") for p in problems)])


def taking_back_text(entry: HistoryEntry, style: Style = PLAIN) -> str:
    """What the apply of `entry` did, for who is about to take it back."""
    by = f"{printable(entry.by.user)}, {printable(entry.by.command)}"
    head = f"What rollback would take back: the apply of {entry.at} by {by}"
    done = [f"  {style.action(a, GLYPHS[a])} {printable(address)}" for address, a in _done(entry)]
    return "\n".join([*style.wrap(head, "", "  "), *done])


def _done(entry: HistoryEntry) -> Iterator[tuple[str, Action]]:
    known: dict[str, Action] = {action: action for action in GLYPHS}
    for address, action, _ in entry.changes:
        if action in known:
            yield address, known[action]


def _line(row: HistoryRow, style: Style) -> str:
    entry = row.entry
    count = len(entry.changes)
    changes = f"{count} change" + ("" if count == 1 else "s")
    word = entry.result.replace("_", " ")
    result = style.good(word) if entry.result == "applied" else style.bold(word)
    error = f": {printable(entry.error)}" if entry.error else ""
    told = f"{printable(entry.by.user)}, {printable(entry.by.command)}"
    return f"{row.number:>4}  {entry.at}  {result} ({changes}) by {told}{error}"


def history_document(
    rows: Sequence[HistoryRow], problems: Sequence[str], host: str, exit_code: int, *, now: datetime
) -> doc.HistoryDocument:
    """The object of `history --json`."""
    return doc.HistoryDocument(
        **head(host, now),
        entries=[_item(row) for row in rows],
        problems=list(problems),
        exit_code=exit_code,
    )


def _item(row: HistoryRow) -> doc.HistoryItem:
    entry = row.entry
    return doc.HistoryItem(
        number=row.number,
        at=entry.at,
        user=entry.by.user,
        command=entry.by.command,
        git_commit=entry.by.commit,
        result=entry.result,
        changes=[
            doc.HistoryChange(address=address, action=action, cause=cause)
            for address, action, cause in entry.changes
        ],
        config_digest=entry.config,
        fingerprint=entry.fingerprint,
        error=entry.error,
        duration_s=entry.duration_s,
    )
