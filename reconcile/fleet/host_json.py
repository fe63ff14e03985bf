"""JSON that a host sends: an object within limits, or none."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

MOST_VALUES = 2_000_000
"""Objects, arrays and commas, those in texts included: more would take too much memory."""
MOST_DEPTH = 60


def read_object(text: str) -> Mapping[str, Any] | None:
    """The object of a text; None for anything else.

    Readers differ in what they make of repeated keys and of numbers that are none: neither is
    taken from a host.
    """
    if sum(map(text.count, "{[,")) > MOST_VALUES:
        return None
    try:
        found = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite
        )
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) and not _is_deep(found) else None


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key is repeated")
    return found


def _refuse(constant: str) -> float:
    raise ValueError(constant)


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def _is_deep(value: object) -> bool:
    level = [value]
    for _ in range(MOST_DEPTH):
        level = [*chain.from_iterable(map(_members, level))]
        if not level:
            return False
    return True


def _members(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
