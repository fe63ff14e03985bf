"""Phrases that messages of several rooms share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime


def counted(number: int, noun: str) -> str:
    """`1 file`, `3 directories`, `1,200 files`."""
    if number == 1:
        return f"1 {noun}"
    return f"{number:,} {noun[:-1]}ies" if noun.endswith("y") else f"{number:,} {noun}s"


def first_few(names: Sequence[str], most: int = 3, total: int | None = None) -> str:
    """`a, b, c and 4 more`: the first `most` of `names`, which are `total` (all) in number."""
    more = (len(names) if total is None else total) - most
    return ", ".join(map(shortened, names[:most])) + (f" and {more} more" if more > 0 else "")


def shortened(name: str, most: int = 300) -> str:
    """`name`, or its beginning and its end where it has more than `most` characters."""
    half = most // 2
    return name if len(name) <= most else f"{name[:half]}…{name[-half:]}"


def size_text(size: int) -> str:
    """`512 bytes`, `1.5 KB`, `20.0 MB`, `3.2 GB`: in powers of 1024, as sizes in the YAML."""
    if size < 1024:
        return counted(size, "byte")
    number, units = size / 1024, ["KB", "MB", "GB", "TB"]
    while number >= 1000 and len(units) > 1:
        number, units = number / 1024, units[1:]
    return f"{number:,.1f} {units[0]}"


def utc_text(at: datetime) -> str:
    """The second `at` in UTC, as ISO 8601: `2026-11-22T08:00:00Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
