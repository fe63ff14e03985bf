"""Rows of two columns that stay readable on any terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from reconcile.output.style import Style

GAP = 2
WIDEST_LABEL = 60
"""A longer label does not push the second column of the other rows to the right."""


class Row(NamedTuple):
    """The two columns; `styled` is the label as it is printed, with colour."""

    label: str
    detail: str
    styled: str


def two_columns(rows: Sequence[Row], style: Style, indent: str) -> list[str]:
    """Align the details where they fit; else put one beside its label, or below it."""
    column = max((_width(row) for row in rows if _sets_column(row, style, indent)), default=0)
    return [line for row in rows for line in _row_lines(row, column, style, indent)]


def _sets_column(row: Row, style: Style, indent: str) -> bool:
    fits = style.fits(f"{indent}{row.label}{' ' * GAP}{row.detail}")
    return bool(row.detail) and _width(row) <= WIDEST_LABEL and fits


def _row_lines(row: Row, column: int, style: Style, indent: str) -> Iterator[str]:
    if not row.detail:
        yield from style.wrap(row.styled, indent, f"{indent}    ")
        return
    for gap in (max(column - _width(row), 0) + GAP, GAP):
        if style.fits(f"{indent}{row.label}{' ' * gap}{row.detail}"):
            yield f"{indent}{row.styled}{' ' * gap}{row.detail}"
            return
    yield from style.wrap(row.styled, indent, f"{indent}    ")
    yield from style.wrap(row.detail, f"{indent}    ", f"{indent}    ")


def _width(row: Row) -> int:
    return len(row.label)
