"""Types of uploads that browsers show, beside images, audio, video and plain text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from mimetypes import MimeTypes
from typing import TYPE_CHECKING, Annotated, Any

from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.field_type import FieldType, InvalidValue, quote_text, require_str
from reconcile.nginx.model.web_types import WEB_TYPES
from reconcile.nginx.render.response_headers import GUARDS

if TYPE_CHECKING:
    from reconcile.config.site.location import Location

_TYPE = r"[a-z]+/[a-z0-9][a-z0-9.+-]{0,60}"
_ACTIVE = re.compile(
    r"text/html|text/x?sl|.*[/+]xml(?:-.*)?|.*xhtml.*|image/svg.*|.*script.*"
    r"|.*flash.*|.*wasm|multipart/.*|message/.*|.*mhtml.*"
)
"""What browsers run, or take apart into what they run."""
_DOCUMENTS = {"epub": "application/epub+zip", "ics": "text/calendar", "md": "text/markdown"}
"""What people upload and not every Python knows."""


def parse_inline_type(value: Any) -> str:
    """A media type that runs nothing and has a known file name ending."""
    text = require_str(value, "a media type")
    if not re.fullmatch(_TYPE, text, re.ASCII):
        raise InvalidValue(f"{quote_text(text)} is not a media type", "use application/pdf")
    if _ACTIVE.fullmatch(text):
        raise InvalidValue(
            f"browsers run {text}: an upload could attack visitors", "let it be a download"
        )
    if not endings_of(text):
        raise InvalidValue(f"{text} has no known file name ending")
    return text


def endings_of(media_type: str) -> tuple[str, ...]:
    """The endings of a type, without dots; the host's own tables are not asked."""
    found = MimeTypes(filenames=()).guess_all_extensions(media_type)
    known = {ending.removeprefix(".") for ending in found}
    types = {**WEB_TYPES, **_DOCUMENTS}
    return tuple(sorted(known | {ending for ending, kind in types.items() if kind == media_type}))


InlineType = Annotated[
    str,
    FieldType(
        parse_inline_type,
        {"type": "string", "pattern": f"^{_TYPE}$", "examples": ["application/pdf"]},
    ),
]


def check_inline(loc: Loc, location: Location) -> Iterator[Violation]:
    """Only uploads are downloads by default, and what guards visitors stays."""
    if not location.inline:
        return
    if location.role != "media":
        message = f"inline is for media; {location.role} files are sent with their own type"
        yield Violation((*loc, "inline"), message, "remove inline")
    for name in location.headers:
        if name.lower() in GUARDS:
            message = f"{name} guards visitors from what `inline` shows"
            yield Violation((*loc, "headers", name), message, "remove it, or inline")
