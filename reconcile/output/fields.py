"""One field's way from before to after, in lines."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from reconcile.engine.diff import SENSITIVE
from reconcile.engine.model import Action, Change, FieldChange, Plan
from reconcile.output.escape import printable
from reconcile.output.style import GLYPHS, Style

CONTEXT_LINES = 3
TEXT_LIMIT = 200_000
"""Characters of a text above which its lines are not compared."""
SHORT = 60
"""Characters of a list that still stands beside its name."""
LINES_SHOWN = 60
"""Lines of one text that a plan shows unless asked for all."""
ITEMS_SHOWN = 12
"""The same for files in a folder, one a line."""
DIGEST_SHOWN = len("sha256:") + 12
"""Characters of a digest; JSON has all."""
_DIGEST = re.compile("sha256:[0-9a-f]{64}")
NO_NEWLINE = "\\ No newline at end of file"


def listed(plan: Plan, *, full: bool) -> tuple[Change, ...]:
    """The changes that are shown; where `full`, with what needs none."""
    changes = tuple(change for change in plan.changes if full or change.action != "no-op")
    if not full:
        return changes
    return changes + tuple(Change(ref, same, same) for ref, same in plan.in_sync.items())


def fields_of(change: Change) -> tuple[FieldChange, ...]:
    """The fields that a change shows: those that differ, or all of a new resource."""
    if change.after is None or change.before is not None:
        return change.fields
    return tuple(field for field in _made(change) if field.after not in ([], (), {}))


def _made(change: Change) -> tuple[FieldChange, ...]:
    if change.fields or change.after is None:
        return change.fields
    shown = change.after.display()
    return tuple(FieldChange(name, None, of, change.cause) for name, of in shown.items())


def field_lines(change: Change, field: FieldChange, style: Style, *, full: bool) -> list[str]:
    """The lines for `field`, without indentation; what is sensitive stays hidden.

    Of a field whose values say nothing to people there are none: the reason above has it.
    """
    if field.name in change.subject.opaque:
        return []
    action = _action(change, field)
    name = f"{style.glyph(action)} {printable(field.name)}"
    tag = style.dim(f"  # {field.cause}") if change.cause == "both" else ""
    if field.sensitive:
        return [f"{name} = {_hidden(action)}{tag}"]
    items = _items(change, field, style)
    below = _lines_below(_legible(change, field), style) if items is None else items
    if below is not None:
        most = LINES_SHOWN if items is None else ITEMS_SHOWN
        return [f"{name}{tag}", *_capped(below, style, None if full else most)]
    return _beside(name, field, action, style, tag)


def _items(change: Change, field: FieldChange, style: Style) -> list[str] | None:
    """What is to be done below a resource that is there, one path a line."""
    listed = change.before and change.after and change.before.items(field.name)
    if not listed:
        return None
    return [style.action(action, f"{GLYPHS[action]} {printable(item)}") for action, item in listed]


def _legible(change: Change, field: FieldChange) -> FieldChange:
    """Texts without what only machines compare, unless nothing else differs."""
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


def _hidden(action: Action) -> str:
    return f"{SENSITIVE} -> {SENSITIVE}" if action == "update" else SENSITIVE


def _lines_below(field: FieldChange, style: Style) -> list[str] | None:
    """The field as lines of its own, None where it fits beside its name."""
    before, after = field.before, field.after
    if _is_text(before) or _is_text(after):
        return _text_lines(before or "", after or "", style)
    if _is_a(Mapping, before, after):
        return list(_mapping_lines(before or {}, after or {}, style))
    if _is_a((list, tuple), before, after):
        return _sequence_lines(before or (), after or (), style)
    return None


def _is_a(of: type | tuple[type, ...], before: Any, after: Any) -> bool:
    values = [value for value in (before, after) if value is not None]
    return any(values) and all(isinstance(value, of) for value in values)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and "\n" in value


def _beside(name: str, field: FieldChange, action: Action, style: Style, tag: str) -> list[str]:
    if action == "create":
        return [f"{name} = {value(field.after)}{tag}"]
    if action == "delete":
        return [f"{name} = {value(field.before)}{tag}"]
    before, after = value(field.before), value(field.after)
    width = len(field.name) + len(before) + len(after) + 15
    if style.width is not None and width > style.width:
        return [f"{name} = {before}{tag}", f"    -> {after}"]
    return [f"{name} = {before} -> {after}{tag}"]


def value(of: Any) -> str:
    """A JSON value in one printable line; of a digest, what tells it from another."""
    if isinstance(of, str):
        return (
            f'"{printable(of[:DIGEST_SHOWN])}…"' if _DIGEST.fullmatch(of) else f'"{printable(of)}"'
        )
    return printable(json.dumps(of, ensure_ascii=False, default=str))


def _text_lines(before: str, after: str, style: Style) -> list[str]:
    if len(before) + len(after) > TEXT_LIMIT:
        return [f"{_size(before)} -> {_size(after)}"]
    # Costs 4 ms to import, and only changed texts need it.
    from difflib import unified_diff

    lines = unified_diff(_split(before), _split(after), n=CONTEXT_LINES, lineterm="")
    hunks = [line for index, line in enumerate(lines) if index >= 2]
    whole = not before or not after
    return [_dressed(line, style) for line in (hunks[1:] if whole else hunks)]


def _size(text: str) -> str:
    return f"{text.count(chr(10)):,} lines"


def _split(text: str) -> list[str]:
    """Lines as Nginx counts them: only a line feed ends one."""
    if not text:
        return []
    lines = text.split("\n")
    return lines[:-1] if lines[-1] == "" else [*lines, NO_NEWLINE]


def _dressed(line: str, style: Style) -> str:
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
            yield f"{style.glyph('create')} {name} = {value(after[key])}"
        elif key not in after:
            yield f"{style.glyph('delete')} {name} = {value(before[key])}"
        else:
            yield f"{style.glyph('update')} {name} = {value(before[key])} -> {value(after[key])}"
    same = sum(key in after and after[key] == item for key, item in before.items())
    yield from _unchanged(same, style)


def _sequence_lines(before: Sequence[Any], after: Sequence[Any], style: Style) -> list[str] | None:
    """None for a short one. Where nothing is to be left, each item is something to fix."""
    if before and not after:
        return [f"{style.glyph('update')} {_bare(item)}" for item in before]
    if len(value(before)) + len(value(after)) <= SHORT:
        return None
    lines = [f"{style.glyph('delete')} {_bare(item)}" for item in before if item not in after]
    lines += [f"{style.glyph('create')} {_bare(item)}" for item in after if item not in before]
    return lines + list(_unchanged(sum(item in after for item in before), style))


def _bare(item: Any) -> str:
    return printable(item) if isinstance(item, str) else value(item)


def _unchanged(count: int, style: Style) -> Iterator[str]:
    if count:
        yield style.dim(f"# ({count} unchanged hidden)")


def _capped(lines: list[str], style: Style, most: int | None) -> list[str]:
    indented = [f"    {line}" for line in lines]
    if most is None or len(lines) <= most + 1:
        return indented
    left_out = style.dim(f"    # ({len(lines) - most} more lines, --full shows them)")
    return [*indented[:most], left_out]
