"""Digests, to record and compare contents without keeping them."""

from __future__ import annotations

import json
from collections.abc import Set
from dataclasses import fields, is_dataclass
from hashlib import sha256
from typing import Any


def digest(value: Any) -> str:
    """`sha256:…` of a value, the same in every process and on every host.

    Errors: TypeError for a value that has no canonical form.
    """
    data = value if isinstance(value, bytes) else canonical(value).encode()
    return f"sha256:{sha256(data).hexdigest()}"


def canonical(value: Any) -> str:
    """The one JSON text of `value`: sorted keys, no blanks, ASCII only."""
    return _CANONICAL.encode(value)


def _json_value(value: Any) -> Any:
    if isinstance(value, bytes):
        return {"bytes": digest(value)}
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    if isinstance(value, Set):
        return sorted(value, key=canonical)
    raise TypeError(f"{type(value).__name__} has no canonical form")


_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), default=_json_value)
