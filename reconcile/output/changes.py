"""The changes of a plan: a line for what is created or destroyed, a block for an update."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconcile.engine.diff import SENSITIVE
from reconcile.engine.model import Action, Change, FieldChange
from reconcile.output.columns import Cell, two_columns
from reconcile.output.escape import printable
from reconcile.output.fields import field_lines, fields_of
from reconcile.output.style import GLYPHS, PLAIN, Style
from reconcile.wording import counted

INDENT = "  "
_LEGEND: dict[Action, str] = {
    "create": "create",
    "update": "update in-place",
    "delete": "destroy",
}
_FUTURE: dict[Action, str] = {
    "create": "will be created",
    "update": "will be updated in-place",
    "delete": "will be destroyed",
}
_SECTIONS: tuple[tuple[Action, ...], ...] = (("no-op",), ("delete",), ("create", "update"))
_PAST: dict[Action, str] = {
    "create": "created",
    "update": "updated",
    "delete": "destroyed",
    "no-op": "unchanged",
}


def changes_text(
    changes: Sequence[Change], host: str, style: Style, *, full: bool, summary: bool
) -> list[str]:
    """All changes in blocks, deletions last and under a heading of their own; [] for none."""
    if not changes:
        return []
    same, gone, kept = (
        [change for change in changes if change.action in actions] for actions in _SECTIONS
    )
    blocks: list[list[str]] = []
    if kept or gone:
        head = style.wrap(f"reconcile will perform these actions on {printable(host)}:")
        blocks.append([*map(style.bold, head), *_legend(changes, style)])
    blocks += _listed(kept, style, full=full, summary=summary)
    if gone:
        first, *more = _listed(gone, style, full=full, summary=summary)
        blocks += [[*_warning(gone, style), *first], *more]
    if same:
        cells = [_cell(change, "", style) for change in same]
        blocks.append([style.bold("No change is needed of:"), *two_columns(cells, style, INDENT)])
    return ["\n\n".join("\n".join(block) for block in blocks)]


def action_line(change: Change, style: Style = PLAIN) -> str:
    """One line for a change that was made."""
    return f"{style.glyph(change.action)} {address(change)}: {_PAST[change.action]}"


def address(change: Change) -> str:
    return printable(str(change.ref))


def files_removed(changes: Sequence[Change]) -> int:
    """How many files go: with what is destroyed, and inside of what is updated."""
    return sum(_files_removed(change) for change in changes)


def _files_removed(change: Change) -> int:
    return 0 if change.before is None else change.before.files_removed(change.after)


def _legend(changes: Sequence[Change], style: Style) -> list[str]:
    present = {change.action for change in changes}
    words = [
        f"{style.glyph(action)} {word}" for action, word in _LEGEND.items() if action in present
    ]
    return style.wrap("   ".join(words), INDENT, INDENT)


def _warning(gone: Sequence[Change], style: Style) -> list[str]:
    files = files_removed(gone)
    with_files = f", with {counted(files, 'file')}" if files else ""
    text = f"{counted(len(gone), 'resource')} will be destroyed{with_files}:"
    return [style.alarm(line) for line in style.wrap(text)]


def _listed(
    changes: Sequence[Change], style: Style, *, full: bool, summary: bool
) -> list[list[str]]:
    """What fits on lines of their own as one block, then a block for each other change."""
    short = [change for change in changes if summary or _is_short(change, full=full)]
    cells = [_cell(change, "" if summary else _brief(change), style) for change in short]
    lines = [two_columns(cells, style, INDENT)] if cells else []
    return lines + [
        list(_block(change, style, full=full)) for change in changes if change not in short
    ]


def _is_short(change: Change, *, full: bool) -> bool:
    if full:
        return False
    needs_no_values = all(field.name in change.subject.opaque for field in change.fields)
    return change.action != "update" or needs_no_values


def _cell(change: Change, detail: str, style: Style) -> Cell:
    label = f"{GLYPHS[change.action]} {address(change)}"
    is_gone = change.action == "delete"
    dressed = style.action("delete", label) if is_gone else style.glyph(change.action) + label[1:]
    return Cell(label, detail, dressed)


def _brief(change: Change) -> str:
    """What stands beside the address where all of a change is one line."""
    if change.action == "update":
        return _cause(change) + printable(change.reason)
    if change.action == "delete":
        return _gone(change)
    is_news = change.cause != "pending"
    why = _cause(change) + printable(change.reason) if is_news else ""
    parts = (printable(change.subject.summary("create")), _folded(fields_of(change)), why)
    return ", ".join(part for part in parts if part)


def _gone(change: Change) -> str:
    files = _files_removed(change)
    return counted(files, "file") if files > 1 else printable(change.subject.summary("delete"))


def _cause(change: Change) -> str:
    return "" if change.cause == "pending" else f"{change.cause}: "


def _folded(fields: Sequence[FieldChange]) -> str:
    """How long a text is that stands in a new resource; of what is sensitive not even that."""
    for field in fields:
        if field.sensitive:
            return SENSITIVE
        if field.name == "content" and isinstance(field.after, str):
            lines = field.after.count("\n") + (not field.after.endswith("\n"))
            return f"{counted(lines, 'line')}, --full shows {'it' if lines == 1 else 'them'}"
    return ""


def _block(change: Change, style: Style, *, full: bool) -> Iterator[str]:
    header = f"# {address(change)} {_FUTURE[change.action]}"
    yield from map(style.bold, style.wrap(header, INDENT, f"{INDENT}#   "))
    if change.action == "update" and (files := _files_removed(change)):
        yield style.alarm(f"{INDENT}# {counted(files, 'file')} will be removed")
    yield from map(style.dim, style.wrap(_reason(change), f"{INDENT}# ", f"{INDENT}#   "))
    for field in fields_of(change):
        for line in field_lines(change, field, style, full=full):
            hanging = INDENT + " " * (len(line) - len(line.lstrip(" ")) + 4)
            yield from style.wrap(line, INDENT, hanging)


def _reason(change: Change) -> str:
    because = f": {printable(change.reason)}" if change.reason else ""
    places = ", ".join(printable(str(place)) for place in change.positions)
    return f"{change.cause}{because}" + (f" ({places})" if places else "")
