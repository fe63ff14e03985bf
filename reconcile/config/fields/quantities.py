"""Durations and sizes, with a unit in the file and plain numbers inside."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any

from reconcile.config.fields.field_type import FieldType, InvalidValue, quote_text, require_str

SECONDS = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 7 * 86_400, "y": 365 * 86_400}
BYTES = {"KB": 1024, "MB": 1024**2, "GB": 1024**3}

MAX_SECONDS = 2**31 - 1
"""RFC 9111, section 1.2.2: a cache may treat anything longer as this."""
MAX_BYTES = 2**40

_DURATION_HINT = "use 30s, 10m, 1h, 7d, 2w or 1y"
_SIZE_HINT = "use 512KB, 20MB or 1GB"
_DURATION = re.compile(r"(0|[1-9]\d{0,9})([smhdwy])", re.ASCII)
_SIZE = re.compile(r"([1-9]\d{0,9})(KB|MB|GB)", re.ASCII)


def parse_duration(value: Any) -> int:
    """Seconds of `7d`, `1h`, `1y` (365 days)."""
    seconds = _parse(value, "duration", _DURATION, SECONDS, _DURATION_HINT)
    if seconds > MAX_SECONDS:
        raise InvalidValue(f"{quote_text(value)} is longer than 68 years")
    return seconds


def parse_size(value: Any) -> int:
    """Bytes of `20MB`; a KB is 1024 bytes, as in nginx."""
    size = _parse(value, "size", _SIZE, BYTES, _SIZE_HINT)
    if size > MAX_BYTES:
        raise InvalidValue(f"{quote_text(value)} is more than 1024GB")
    return size


def _parse(
    value: Any, kind: str, pattern: re.Pattern[str], units: Mapping[str, int], hint: str
) -> int:
    text = require_str(value, f"a {kind}", hint)
    found = pattern.fullmatch(text)
    if not found:
        raise InvalidValue(f"{quote_text(text)} is not a {kind}", hint)
    return int(found[1]) * units[found[2]]


Duration = Annotated[
    int,
    FieldType(
        parse_duration,
        {
            "type": "string",
            "pattern": r"^(?:0|[1-9][0-9]{0,9})[smhdwy]$",
            "examples": ["1h", "1d", "7d", "1y"],
        },
    ),
]
Size = Annotated[
    int,
    FieldType(
        parse_size,
        {
            "type": "string",
            "pattern": r"^[1-9][0-9]{0,9}(?:KB|MB|GB)$",
            "examples": ["20MB", "1GB"],
        },
    ),
]
