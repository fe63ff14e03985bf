"""The fields of a change, before and after."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reconcile.engine.diff import SENSITIVE
from reconcile.engine.model import Action, Change, FieldChange, Plan
from reconcile.engine.text_diff import unified_lines
from reconcile.output.escape import printable
from reconcile.output.style import GLYPHS, PLAIN, Style

TEXT_LIMIT = 200_000
"""Characters of a text above which its lines are not compared."""
SHORT = 60
"""Characters of a list that is still shown beside its name."""
LINES_SHOWN = 60
"""Lines of one text that a plan shows without --full."""
ITEMS_SHOWN = 12
"""Files of one directory that a plan shows without --full."""
DIGEST_SHOWN = len("sha256:") + 12
"""Characters of a digest that are shown; JSON has all."""
_DIGEST = "sha256:[0-9a-f]{64}"


def shown_changes(plan: Plan, *, full: bool) -> tuple[Change, ...]:
    """Return the changes of a plan; with `full` also the unchanged resources."""
    if not full:
        return tuple(change for change in plan.changes if change.action != "no-op")
    return plan.changes + tuple(Change(ref, same, same) for ref, same in plan.in_sync.items())


def shown_fields(change: Change) -> tuple[FieldChange, ...]:
    """Return the fields that differ, or all fields of a new resource that have a value."""
    if change.after is None or change.before is not None:
        return change.fields
    return tuple(field for field in _created_fields(change) if field.after not in ([], (), {}))


def _created_fields(change: Change) -> tuple[FieldChange, ...]:
    if change.fields or change.after is None:
        return change.fields
    shown = change.after.display()
    return tuple(FieldChange(name, None, of, change.cause) for name, of in shown.items())


def field_lines(change: Change, field: FieldChange, style: Style, *, full: bool) -> list[str]:
    """Render `field` without indentation; sensitive values are masked.

    A field whose values mean nothing to people has no lines: the reason describes its change.
    """
    if field.name in change.subject.opaque:
        return []
    action = _action(change, field)
    name = f"{style.glyph(action)} {printable(field.name)}"
    tag = style.dim(f"  # {field.cause}") if change.cause == "both" else ""
    if field.sensitive:
        hidden = f"{SENSITIVE} -> {SENSITIVE}" if action == "update" else SENSITIVE
        return [f"{name} = {hidden}{tag}"]
    items = _items(change, field, style)
    below = (
        _lines_of_values(_without_machine_text(change, field), style) if items is None else items
    )
    if below is not None:
        most = LINES_SHOWN if items is None else ITEMS_SHOWN
        return [f"{name}{tag}", *_truncated(below, style, None if full else most)]
    return _one_line(name, field, action, style, tag)


def unstyled_field_lines(field: FieldChange) -> list[str]:
    """Render a field of which only the values are known, as JSON has them."""
    action: Action = "update"
    if field.before is None or field.after is None:
        action = "create" if field.before is None else "delete"
    below = _lines_of_values(field, PLAIN)
    if below is None:
        return _one_line(f"{GLYPHS[action]} {printable(field.name)}", field, action, PLAIN, "")
    return [f"{GLYPHS[action]} {printable(field.name)}", *(f"    {line}" for line in below)]


def _items(change: Change, field: FieldChange, style: Style) -> list[str] | None:
    """List the effects inside of an existing resource, one path per line."""
    effects = change.before and change.after and change.before.items(field.name)
    if not effects:
        return None
    return [style.action(action, f"{GLYPHS[action]} {printable(item)}") for action, item in effects]


def _without_machine_text(change: Change, field: FieldChange) -> FieldChange:
    """Hide what only machines compare in texts, unless nothing else differs."""
    values = field.before, field.after
    before, after = (
        change.subject.legible(value) if _is_text(value) else value for value in values
    )
    return field if before == after else replace(field, before=before, after=after)


def _action(change: Change, field: FieldChange) -> Action:
    if change.action in ("create", "delete"):
        return change.action
    if field.before is None:
        return "create"
    return "delete" if field.after is None else "update"


def _lines_of_values(field: FieldChange, style: Style) -> list[str] | None:
    """Render the values on lines of their own; None where they fit beside the name."""
    before, after = field.before, field.after
    if _is_text(before) or _is_text(after):
        return _text_lines(before or "", after or "", style)
    if _are_all(Mapping, before, after):
        return list(_mapping_lines(before or {}, after or {}, style))
    if _are_all((list, tuple), before, after):
        return _sequence_lines(before or (), after or (), style)
    return None


def _are_all(of: type | tuple[type, ...], before: Any, after: Any) -> bool:
    values = [value for value in (before, after) if value is not None]
    return any(values) and all(isinstance(value, of) for value in values)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\n" in value


def _one_line(name: str, field: FieldChange, action: Action, style: Style, tag: str) -> list[str]:
    if action == "create":
        return [f"{name} = {format_value(field.after)}{tag}"]
    if action == "delete":
        return [f"{name} = {format_value(field.before)}{tag}"]
    before, after = format_value(field.before), format_value(field.after)
    width = len(field.name) + len(before) + len(after) + 15
    if style.width is not None and width > style.width:
        return [f"{name} = {before}{tag}", f"    -> {after}"]
    return [f"{name} = {before} -> {after}{tag}"]


def format_value(value: Any) -> str:
    """Format a JSON value on one printable line; digests are abbreviated."""
    if not isinstance(value, str):
        return printable(json.dumps(value, ensure_ascii=False, default=str))
    if re.fullmatch(_DIGEST, value):
        return f'"{value[:DIGEST_SHOWN]}…"'
    return f'"{printable(value)}"'


def _text_lines(before: str, after: str, style: Style) -> list[str]:
    if len(before) + len(after) > TEXT_LIMIT:
        return [f"{_size(before)} -> {_size(after)}"]
    hunks = unified_lines(before, after)
    whole = not before or not after
    return [coloured_diff_line(line, style) for line in (hunks[1:] if whole else hunks)]


def _size(text: str) -> str:
    return f"{text.count(chr(10)):,} lines"


def coloured_diff_line(line: str, style: Style) -> str:
    """Render a line of a unified diff, safe to print on a terminal."""
    shown = printable(line, keep="\t")
    if line.startswith("@@"):
        return style.dim(shown)
    if line.startswith("+"):
        return style.action("create", shown)
    return style.action("delete", shown) if line.startswith("-") else shown


def _mapping_lines(
    before: Mapping[str, Any], after: Mapping[str, Any], style: Style
) -> Iterator[str]:
    for key in sorted(before.keys() | after.keys()):
        if before.get(key) == after.get(key):
            continue
        name = printable(str(key))
        if key not in before:
            yield f"{style.glyph('create')} {name} = {format_value(after[key])}"
        elif key not in after:
            yield f"{style.glyph('delete')} {name} = {format_value(before[key])}"
        else:
            values = f"{format_value(before[key])} -> {format_value(after[key])}"
            yield f"{style.glyph('update')} {name} = {values}"
    same = sum(key in after and after[key] == item for key, item in before.items())
    yield from _unchanged(same, style)


def _sequence_lines(before: Sequence[Any], after: Sequence[Any], style: Style) -> list[str] | None:
    """Render a list that differs; None for a short one.

    Where the desired list is empty, each item is a deviation that the change fixes.
    """
    if before and not after:
        return [f"{style.glyph('update')} {_format_item(item)}" for item in before]
    if len(format_value(before)) + len(format_value(after)) <= SHORT:
        return None
    lines = [
        f"{style.glyph('delete')} {_format_item(item)}" for item in before if item not in after
    ]
    lines += [
        f"{style.glyph('create')} {_format_item(item)}" for item in after if item not in before
    ]
    return lines + list(_unchanged(sum(item in after for item in before), style))


def _format_item(item: Any) -> str:
    return printable(item) if isinstance(item, str) else format_value(item)


def _unchanged(count: int, style: Style) -> Iterator[str]:
    if count:
        yield style.dim(f"# ({count} unchanged hidden)")


def _truncated(lines: list[str], style: Style, most: int | None) -> list[str]:
    indented = [f"    {line}" for line in lines]
    if most is None or len(lines) <= most + 1:
        return indented
    left_out = style.dim(f"    # ({len(lines) - most} more lines, --full shows them)")
    return [*indented[:most], left_out]
