"""The history of applies, as text and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from reconcile.engine.history import HistoryRow
from reconcile.engine.host_hold import Hold
from reconcile.engine.model import Action
from reconcile.engine.rollback_plan import RollbackPlan
from reconcile.output.escape import printable
from reconcile.output.history_documents import HistoryDocument, HistoryItem
from reconcile.output.json import envelope
from reconcile.output.style import PLAIN, Style, join_blocks
from reconcile.wording import counted

_UNDOING: dict[Action, str] = {
    "create": "bring back",
    "update": "restore",
    "delete": "remove again",
}


def history_text(rows: Sequence[HistoryRow], problems: Sequence[str], style: Style = PLAIN) -> str:
    """List the applies, the latest last, then what is damaged in the record."""
    nothing = "Nothing has been applied on this host yet."
    lines = [history_line(row, style) for row in rows] or [nothing]
    return "\n".join([*lines, *(style.error(f"Damaged: {printable(p)}") for p in problems)])


def rollback_preview(
    plan: RollbackPlan,
    removed_sites: Sequence[str] = (),
    style: Style = PLAIN,
    hold: Hold | None = None,
) -> str:
    """Render what a rollback will do, the last change first, with signs of its own."""
    effects = plan.effects
    lines = [
        line
        for address, action in effects
        for line in style.wrap(f"{style.glyph(action)} {printable(address)}", "  ", "      ")
    ]
    texts = (*map(site_warning, removed_sites), *(f"Warning: {one}" for one in plan.warnings))
    warnings = [
        style.alarm(line) for text in texts for line in style.wrap(printable(text), "", "  ")
    ]
    if hold is not None:
        held = f"Warning: a hold is in force: {printable(str(hold))}."
        warnings += [style.alarm(line) for line in style.wrap(held, "", "  ")]
    heading = [*map(style.bold, _heading(plan, style)), *_legend(effects, style)]
    return join_blocks(heading, lines, warnings, style.wrap(_rollback_totals(effects)))


def rollback_question(plan: RollbackPlan) -> str:
    """What a person is asked to approve; the preview has named what is not undone."""
    if not plan.warnings:
        return "this rollback"
    return f"this rollback and the {counted(len(plan.warnings), 'effect')} that it does not undo"


def site_warning(site: str) -> str:
    """Warn that a rollback removes a site."""
    return f"Warning: the site {site} will be removed."


def _heading(plan: RollbackPlan, style: Style) -> list[str]:
    whiches = [
        *(("an unfinished apply", entry) for entry in plan.unfinished),
        *((f"apply #{row.number}", row.entry) for row in plan.applies),
    ]
    texts = [
        f"{which} of {entry.at} by {printable(entry.by.user)} ({printable(entry.by.command)})"
        for which, entry in whiches
    ]
    if len(texts) == 1:
        return style.wrap(f"Rollback will undo {texts[0]}:", "", "  ")
    listed = [line for text in texts for line in style.wrap(text, "  ", "    ")]
    return [f"Rollback will undo {len(texts)} applies, the last one first:", *listed]


def _legend(effects: Sequence[tuple[str, Action]], style: Style) -> list[str]:
    present = {action for _, action in effects}
    words = [
        f"{style.glyph(action)} {word}" for action, word in _UNDOING.items() if action in present
    ]
    return style.wrap("   ".join(words), "  ", "  ")


def _rollback_totals(effects: Sequence[tuple[str, Action]]) -> str:
    actions = [action for _, action in effects]
    back, restored, removed = (actions.count(a) for a in ("create", "update", "delete"))
    return f"Rollback: {back} to bring back, {restored} to restore, {removed} to remove again."


def history_line(row: HistoryRow, style: Style) -> str:
    """Render one apply: number, time, result, number of changes, who and by which command."""
    entry = row.entry
    changes = counted(len(entry.changes), "change")
    word = entry.result.replace("_", " ")
    result = style.good(word) if entry.result == "applied" else style.bold(word)
    error = f": {printable(entry.error)}" if entry.error else ""
    actor = f"{printable(entry.by.user)}, {printable(entry.by.command)}"
    return f"{row.number:>4}  {entry.at}  {result} ({changes}) by {actor}{error}"


def history_document(
    rows: Sequence[HistoryRow], problems: Sequence[str], host: str, exit_code: int, *, now: datetime
) -> HistoryDocument:
    """Build the object of `history --json`."""
    return HistoryDocument(
        **envelope(host, now),
        entries=[history_item(row) for row in rows],
        problems=problems,
        exit_code=exit_code,
    )


def history_item(row: HistoryRow) -> HistoryItem:
    """Build the item of one apply."""
    entry = row.entry
    return HistoryItem.of(
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
