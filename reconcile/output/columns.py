"""Rows of two columns that stay readable on any terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from reconcile.output.style import Style

GAP = 2
WIDEST_LABEL = 60
"""A longer label does not push the second column of the other rows to the right."""


class Cell(NamedTuple):
    """`sign` and `label` make the first column, `detail` is the second; `dressed` is the first
    as it is printed."""

    label: str
    detail: str
    dressed: str


def two_columns(cells: Sequence[Cell], style: Style, indent: str) -> list[str]:
    """A row a cell: in line with the others, else beside its label, else below it."""
    column = max((_width(cell) for cell in cells if _shapes(cell, style, indent)), default=0)
    return [line for cell in cells for line in _row(cell, column, style, indent)]


def _shapes(cell: Cell, style: Style, indent: str) -> bool:
    fits = style.fits(f"{indent}{cell.label}{' ' * GAP}{cell.detail}")
    return bool(cell.detail) and _width(cell) <= WIDEST_LABEL and fits


def _row(cell: Cell, column: int, style: Style, indent: str) -> Iterator[str]:
    if not cell.detail:
        yield from style.wrap(cell.dressed, indent, f"{indent}    ")
        return
    for gap in (max(column - _width(cell), 0) + GAP, GAP):
        if style.fits(f"{indent}{cell.label}{' ' * gap}{cell.detail}"):
            yield f"{indent}{cell.dressed}{' ' * gap}{cell.detail}"
            return
    yield from style.wrap(cell.dressed, indent, f"{indent}    ")
    yield from style.wrap(cell.detail, f"{indent}    ", f"{indent}    ")


def _width(cell: Cell) -> int:
    return len(cell.label)
