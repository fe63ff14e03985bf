"""What stands in requests and answers: URL paths, header names and values, form fields."""

from __future__ import annotations

import re
from typing import Annotated, Any

from reconcile.config.values.written import UnfitError, Written, matching, quoted, text

_SEGMENT = r"[A-Za-z0-9_~@+-][A-Za-z0-9_~@+.-]*"
_PREFIX = re.compile(rf"/(?:{_SEGMENT}/)*", re.ASCII)


def parse_prefix(value: Any) -> str:
    """A location: a URL path that begins and ends with a slash."""
    written = text(value, "a location")
    if not written.startswith("/") or not written.endswith("/"):
        raise UnfitError(
            f"the location {quoted(written)} has to begin and end with a slash",
            f'write "/{written.strip("/")}/"' if written.strip("/") else "",
        )
    if not _PREFIX.fullmatch(written) or len(written) > 255:
        raise UnfitError(
            f"{quoted(written)} is not a location",
            "use letters, digits and _~@+.- between single slashes, no name beginning with a dot",
        )
    return written


def parse_header_value(value: Any) -> str:
    """A header's whole value, as it goes over the wire."""
    written = text(value, "a header's value")
    if not re.fullmatch(r"[!-~](?:[ -~]{0,8190}[!-~])?", written, re.ASCII):
        raise UnfitError(f"{quoted(written)} cannot be a header's value", "use printable ASCII")
    return written


Prefix = Annotated[
    str,
    Written(
        parse_prefix,
        {
            "type": "string",
            "pattern": rf"^/(?:{_SEGMENT}/)*$",
            "maxLength": 255,
            "examples": ["/static/", "/media/"],
        },
    ),
]
UrlPath = Annotated[
    str,
    matching(
        r"""/[!"$-~]*""",
        "a URL path",
        hint="begin it with / and percent-encode what is not plain ASCII",
        examples=("/static/css/app.css", "/"),
        limit=2048,
    ),
]
HeaderName = Annotated[
    str,
    matching(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", "a header's name", examples=("Cache-Control",)),
]
HeaderValue = Annotated[
    str,
    Written(
        parse_header_value,
        {"type": "string", "pattern": r"^[!-~](?:[ -~]{0,8190}[!-~])?$"},
    ),
]
FieldName = Annotated[
    str,
    matching(r"[A-Za-z0-9_.\[\]-]+", "a form field's name", examples=("file",), limit=128),
]
