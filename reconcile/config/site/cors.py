"""Which other sites may read the files of a location."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.field_type import FieldType, InvalidValue, quote_text, require_str
from reconcile.config.fields.network import HOST_IN_URL, parse_server_name

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.site.location import Location
    from reconcile.config.site.site import Site

ALLOW_ORIGIN = "Access-Control-Allow-Origin"
ALLOW_CREDENTIALS = "Access-Control-Allow-Credentials"
_ORIGIN = rf"(https?)://({HOST_IN_URL})(?::([1-9][0-9]{{0,4}}))?"
_DEFAULT_PORTS = {"http": "80", "https": "443"}


def parse_cors(value: Any) -> tuple[str, ...]:
    """`*` for everybody, or one or several origins."""
    values = value if isinstance(value, tuple | list) else (value,)
    if values == ("*",):
        return ("*",)
    origins = tuple(_parse_origin(one) for one in values)
    if not origins:
        raise InvalidValue("the list of origins is empty", 'name one, or use "*"')
    return tuple(dict.fromkeys(origins))


def _parse_origin(value: Any) -> str:
    origin = require_str(value, "an origin")
    found = re.fullmatch(_ORIGIN, origin, re.ASCII)
    if not found:
        raise InvalidValue(
            f"{quote_text(origin)} is not an origin", 'use "https://example.com" or "*"'
        )
    scheme, host, port = found.groups()
    # Browsers name an origin without the usual port, and its host as it is in the DNS.
    shown = f":{port}" if port and port != _DEFAULT_PORTS[scheme] else ""
    return f"{scheme}://{parse_server_name(host)}{shown}"


Cors = Annotated[
    tuple[str, ...],
    FieldType(
        parse_cors,
        {
            "anyOf": [
                {"type": "string", "pattern": rf"^(?:\*|{_ORIGIN})$"},
                {
                    "type": "array",
                    "minItems": 1,
                    "items": {"type": "string", "pattern": f"^(?:{_ORIGIN})$"},
                },
            ],
            "examples": ["*", ["https://example.com"]],
        },
    ),
]


def check_cors(loc: Loc, location: Location, site: Site, config: Config) -> Iterator[Violation]:
    """The header is set once, and for files that visitors may have."""
    if not location.cors:
        return
    if location.role == "private":
        yield Violation((*loc, "cors"), "the app answers for private files", "remove cors")
    for where, headers in ((loc, location.headers), (loc[:2], site.headers)):
        for name in headers:
            if (
                name.lower() == ALLOW_CREDENTIALS.lower()
                and location.cors == ("*",)
                and headers[name]
            ):
                message = f"browsers take no {name} with an origin of *"
                yield Violation((*loc, "cors"), message, "name the origins")
            if name.lower() == ALLOW_ORIGIN.lower() and headers[name] is not None:
                line = config.position_of(*where, "headers", name).line
                message = f"`headers` sets {name} too (line {line})"
                yield Violation((*loc, "cors"), message, "remove one of them")
