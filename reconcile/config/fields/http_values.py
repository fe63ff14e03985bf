"""Parts of requests and responses: paths and headers."""

from __future__ import annotations

import re
from typing import Annotated, Any

from reconcile.config.fields.field_type import (
    FieldType,
    InvalidValue,
    quote_text,
    regex_str,
    require_str,
)


def parse_header_value(value: Any) -> str:
    """The value of a header, in printable ASCII."""
    text = require_str(value, "a header value")
    if not re.fullmatch(r"[!-~](?:[ -~]{0,8190}[!-~])?", text, re.ASCII):
        raise InvalidValue(f"{quote_text(text)} is not a header value", "use printable ASCII")
    return text


UrlPath = Annotated[
    str,
    regex_str(
        r"""/[!"$-~]*""",
        "a URL path",
        hint="begin it with /, and percent-encode characters other than ASCII",
        examples=("/static/css/app.css", "/"),
        limit=2048,
    ),
]
HeaderName = Annotated[
    str,
    regex_str(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+", "a header name", examples=("Cache-Control",)),
]
HeaderValue = Annotated[
    str,
    FieldType(
        parse_header_value,
        {"type": "string", "pattern": r"^[!-~](?:[ -~]{0,8190}[!-~])?$"},
    ),
]
