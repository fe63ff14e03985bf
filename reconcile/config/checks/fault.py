"""A contradiction between parts of the file."""

from __future__ import annotations

from typing import NamedTuple

from reconcile.config.nodes import Loc


class Fault(NamedTuple):
    """What is wrong at `loc`, and what would be right.

    A `certain` fault holds whatever else is wrong beside it; others may follow from that.
    """

    loc: Loc
    message: str
    hint: str = ""
    certain: bool = False
