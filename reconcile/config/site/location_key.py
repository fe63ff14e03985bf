"""The key of a location: a URL prefix, or one URL."""

from __future__ import annotations

import re
from typing import Annotated, Any

from reconcile.config.fields.field_type import FieldType, InvalidValue, quote_text, require_str

SEGMENT = r"[A-Za-z0-9_~@+-][A-Za-z0-9_~@+.-]*"
_PREFIX = re.compile(rf"/(?:{SEGMENT}/)*", re.ASCII)
# RFC 8615 makes .well-known public.
_URL = re.compile(rf"/(?:\.well-known/)?(?:{SEGMENT}/)*{SEGMENT}", re.ASCII)


def parse_location_key(value: Any) -> str:
    """A prefix, which ends with a slash, or one URL."""
    key = require_str(value, "a location")
    if key.endswith("/") or not key.startswith("/"):
        return parse_prefix(key)
    if not _URL.fullmatch(key) or len(key) > 255:
        raise _not_a_location(key)
    return key


def parse_prefix(value: Any) -> str:
    """A URL path that begins and ends with a slash."""
    prefix = require_str(value, "a location")
    if not prefix.startswith("/") or not prefix.endswith("/"):
        raise InvalidValue(
            f"a location has to begin and end with a slash, got {quote_text(prefix)}",
            f'use "/{prefix.strip("/")}/"' if prefix.strip("/") else "",
        )
    if not _PREFIX.fullmatch(prefix) or len(prefix) > 255:
        raise _not_a_location(prefix)
    return prefix


def _not_a_location(key: str) -> InvalidValue:
    return InvalidValue(
        f"{quote_text(key)} is not a location",
        "use letters, digits and _~@+.- between single slashes; no name begins with a dot",
    )


Prefix = Annotated[
    str,
    FieldType(
        parse_prefix,
        {
            "type": "string",
            "pattern": rf"^/(?:{SEGMENT}/)*$",
            "maxLength": 255,
            "examples": ["/static/", "/media/"],
        },
    ),
]
LocationKey = Annotated[
    str,
    FieldType(
        parse_location_key,
        {
            "type": "string",
            "pattern": rf"^/(?:(?:\.well-known/)?(?:{SEGMENT}/)*(?:{SEGMENT})?)$",
            "maxLength": 255,
            "examples": ["/static/", "/media/", "/favicon.ico"],
        },
    ),
]
