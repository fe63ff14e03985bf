"""Sizes and times as nginx writes them."""

from __future__ import annotations

import re

from reconcile.nginx.model.scope import Scope

DEFAULT_BODY_LIMIT = 1024 * 1024
DEFAULT_HEADER_LIMIT = 8 * 1024

_SIZE = re.compile(r"(\d+)([kKmMgG]?)")
_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_TIME = re.compile(r"(\d+)([yMwdhms]?)\s*", re.ASCII)
_SECONDS = {"y": 31536000, "M": 2592000, "w": 604800, "d": 86400, "h": 3600, "m": 60, "s": 1, "": 1}


def parse_size(written: str) -> int | None:
    """Bytes of `20m`, `8k`, `0`; None where it is no size."""
    match = _SIZE.fullmatch(written)
    return int(match[1]) * _UNITS[match[2].lower()] if match else None


def parse_seconds(written: str) -> int | None:
    """Seconds of `7d`, `1h 30m`, `30`; None where it is no time."""
    if not written or "".join(match[0] for match in _TIME.finditer(written)) != written:
        return None
    return sum(int(match[1]) * _SECONDS[match[2]] for match in _TIME.finditer(written))


def body_limit(scope: Scope) -> int:
    """client_max_body_size of a level in bytes; 0 is no limit."""
    written = parse_size(scope.argument("client_max_body_size", ""))
    return DEFAULT_BODY_LIMIT if written is None else written


def header_limit(scope: Scope) -> int:
    """The most bytes of a request line, or of one header, by large_client_header_buffers."""
    written = scope.inherited("large_client_header_buffers")
    size = parse_size(written[-1].args[-1]) if written and written[-1].args else None
    return size or DEFAULT_HEADER_LIMIT
