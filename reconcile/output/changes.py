"""The changes of a plan: a line for what is created or destroyed, a block for an update."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from reconcile.engine.diff import SENSITIVE
from reconcile.engine.model import Action, Change, FieldChange
from reconcile.output.columns import Row, two_columns
from reconcile.output.escape import printable
from reconcile.output.fields import field_lines, shown_fields
from reconcile.output.style import GLYPHS, PLAIN, Style, join_blocks
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
    """Render all changes in blocks, deletions last under their own heading; [] for none."""
    if not changes:
        return []
    unchanged, deleted, changed = (
        [change for change in changes if change.action in actions] for actions in _SECTIONS
    )
    blocks: list[list[str]] = []
    if changed or deleted:
        heading = style.wrap(f"reconcile will perform these actions on {printable(host)}:")
        blocks.append([*map(style.bold, heading), *_legend(changes, style)])
    blocks += _change_blocks(changed, style, full=full, summary=summary)
    if deleted:
        first, *more = _change_blocks(deleted, style, full=full, summary=summary)
        blocks += [[*_deletion_heading(deleted, style), *first], *more]
    if unchanged:
        cells = [_cell(change, "", style) for change in unchanged]
        blocks.append([style.bold("Unchanged:"), *two_columns(cells, style, INDENT)])
    return [join_blocks(*blocks)]


def action_line(change: Change, style: Style = PLAIN) -> str:
    """Render a change that was made, on one line."""
    return f"{style.glyph(change.action)} {shown_address(change)}: {_PAST[change.action]}"


def shown_address(change: Change) -> str:
    """Return the address of a change, safe to print on a terminal."""
    return printable(str(change.ref))


def files_removed(changes: Sequence[Change]) -> int:
    """Count the files that are deleted, also inside of updated directories."""
    return sum(change.files_removed for change in changes)


def _legend(changes: Sequence[Change], style: Style) -> list[str]:
    present = {change.action for change in changes}
    words = [
        f"{style.glyph(action)} {word}" for action, word in _LEGEND.items() if action in present
    ]
    return style.wrap("   ".join(words), INDENT, INDENT)


def _deletion_heading(deleted: Sequence[Change], style: Style) -> list[str]:
    files = files_removed(deleted)
    with_files = f", with {counted(files, 'file')}" if files else ""
    text = f"{counted(len(deleted), 'resource')} will be destroyed{with_files}:"
    return [style.alarm(line) for line in style.wrap(text)]


def _change_blocks(
    changes: Sequence[Change], style: Style, *, full: bool, summary: bool
) -> list[list[str]]:
    """Render what fits on one line each as one block, then a block for each other change."""
    short, long = list[Change](), list[Change]()
    for change in changes:
        (short if summary or _is_short(change, full=full) else long).append(change)
    cells = [_cell(change, "" if summary else _detail(change), style) for change in short]
    lines = [two_columns(cells, style, INDENT)] if cells else []
    return lines + [list(_change_block(change, style, full=full)) for change in long]


def _is_short(change: Change, *, full: bool) -> bool:
    if full:
        return False
    needs_no_values = all(field.name in change.subject.opaque for field in change.fields)
    return change.action != "update" or needs_no_values


def _cell(change: Change, detail: str, style: Style) -> Row:
    label = f"{GLYPHS[change.action]} {shown_address(change)}"
    if change.action == "delete":
        return Row(label, detail, style.action("delete", label))
    return Row(label, detail, style.glyph(change.action) + label[1:])


def _detail(change: Change) -> str:
    """Describe a change that is shown on one line."""
    if change.action == "update":
        return _cause(change) + printable(change.reason)
    if change.action == "delete":
        return _deletion_detail(change)
    why = "" if change.cause == "pending" else _cause(change) + printable(change.reason)
    parts = (printable(change.subject.summary("create")), _content_size(shown_fields(change)), why)
    return ", ".join(part for part in parts if part)


def _deletion_detail(change: Change) -> str:
    files = change.files_removed
    return counted(files, "file") if files > 1 else printable(change.subject.summary("delete"))


def _cause(change: Change) -> str:
    return "" if change.cause == "pending" else f"{change.cause}: "


def _content_size(fields: Sequence[FieldChange]) -> str:
    """Return the length of a new resource's content, unless it is sensitive."""
    for field in fields:
        if field.sensitive:
            return SENSITIVE
        if field.name == "content" and isinstance(field.after, str):
            lines = field.after.count("\n") + (not field.after.endswith("\n"))
            return f"{counted(lines, 'line')}, --full shows {'it' if lines == 1 else 'them'}"
    return ""


def _change_block(change: Change, style: Style, *, full: bool) -> Iterator[str]:
    header = f"# {shown_address(change)} {_FUTURE[change.action]}"
    yield from map(style.bold, style.wrap(header, INDENT, f"{INDENT}#   "))
    if change.action == "update" and (files := change.files_removed):
        yield style.alarm(f"{INDENT}# {counted(files, 'file')} will be removed")
    yield from map(style.dim, style.wrap(_reason(change), f"{INDENT}# ", f"{INDENT}#   "))
    for field in shown_fields(change):
        for line in field_lines(change, field, style, full=full):
            hanging = INDENT + " " * (len(line) - len(line.lstrip(" ")) + 4)
            yield from style.wrap(line, INDENT, hanging)


def _reason(change: Change) -> str:
    because = f": {printable(change.reason)}" if change.reason else ""
    positions = ", ".join(printable(str(position)) for position in change.positions)
    return f"{change.cause}{because}" + (f" ({positions})" if positions else "")
