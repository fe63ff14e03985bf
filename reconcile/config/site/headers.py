"""Response headers of a site and of its locations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.field_type import FieldType, InvalidValue, quote_text, require_str
from reconcile.config.fields.http_values import parse_header_value
from reconcile.config.site.extra import find_in_extra, place_in_extra
from reconcile.nginx.render.response_headers import (
    DEFAULT_HEADERS,
    GUARDS,
    HSTS,
    SentHeader,
    merge_headers,
)

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.context import SiteContext
    from reconcile.config.site.file_location import FileLocation
    from reconcile.config.site.location import Location
    from reconcile.config.site.proxy_location import ProxyLocation
    from reconcile.config.site.site import Site

_NAME_CHARACTERS = "A-Za-z0-9_-"
_MAX_NAME = 100
_MAX_VALUE = 3000
"""Nginx reads no longer token than 4096 bytes, the backslashes before quotes included."""

_BY_CONNECTION = "it belongs to the connection, and nginx sets it"
_BY_CONTENT = "nginx or the app sets it for each response"
_BY_CACHE = "choose a cache policy with `cache`"
_REFUSED: dict[str, str] = {
    "content-length": _BY_CONTENT,
    "content-type": _BY_CONTENT,
    "content-encoding": _BY_CONTENT,
    "content-range": _BY_CONTENT,
    "accept-ranges": _BY_CONTENT,
    "date": _BY_CONTENT,
    "etag": _BY_CONTENT,
    "last-modified": _BY_CONTENT,
    "server": _BY_CONTENT,
    "vary": _BY_CONTENT,
    "status": _BY_CONTENT,
    "cache-control": _BY_CACHE,
    "expires": _BY_CACHE,
    "age": _BY_CACHE,
    "pragma": _BY_CACHE,
    "set-cookie": "the app sets cookies",
    "location": "use `redirects`",
    "www-authenticate": "use `access`",
    "connection": _BY_CONNECTION,
    "keep-alive": _BY_CONNECTION,
    "proxy-authenticate": _BY_CONNECTION,
    "proxy-authorization": _BY_CONNECTION,
    "proxy-connection": _BY_CONNECTION,
    "te": _BY_CONNECTION,
    "trailer": _BY_CONNECTION,
    "transfer-encoding": _BY_CONNECTION,
    "upgrade": _BY_CONNECTION,
}
"""Header → why nobody may set it here. Source: RFC 9110, section 7.6.1; RFC 9112."""


def parse_response_header(value: Any) -> str:
    """The name of a header that a configuration may add."""
    name = require_str(value, "a header name")
    if len(name) > _MAX_NAME or not name or set(name) - _ALLOWED:
        hint = "use letters, digits, hyphens and underscores"
        raise InvalidValue(f"{quote_text(name)} is not a header name", hint)
    reason = _REFUSED.get(name.lower())
    if reason or name.lower().startswith("x-accel-"):
        raise InvalidValue(f"{name} cannot be set here", reason or "nginx interprets it")
    return name


_ALLOWED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-")


def parse_response_header_value(value: Any) -> str | None:
    """The value of a header, None to remove that of the site or a default."""
    if value is None:
        return None
    text = parse_header_value(value)
    if "$" in text:
        hint = "nginx would read a variable, and has no escape for it"
        raise InvalidValue(f"a header value cannot contain $, got {quote_text(text)}", hint)
    length = len(text) + sum(map(text.count, '"\\'))
    if length > _MAX_VALUE:
        raise InvalidValue(f"a header value is longer than {_MAX_VALUE} characters")
    return text


ResponseHeaders = dict[
    Annotated[
        str,
        FieldType(
            parse_response_header,
            {
                "type": "string",
                "pattern": rf"^[{_NAME_CHARACTERS}]{{1,{_MAX_NAME}}}$",
                "examples": ["X-Frame-Options", "Content-Security-Policy"],
            },
        ),
    ],
    Annotated[
        str | None,
        FieldType(
            parse_response_header_value,
            {"type": ["string", "null"], "pattern": r"^[!-#%-~](?:[ -#%-~]*[!-#%-~])?$"},
        ),
    ],
]


def check_site_headers(loc: Loc, site: Site, config: Config) -> Iterator[Violation]:
    """Each header is set once, and what is taken away is a default."""
    here = (*loc, "headers")
    yield from _check_names(here, site.headers, config)
    defaults = {
        name.lower()
        for location in site.locations.values()
        for name, _ in DEFAULT_HEADERS[location.role]
    }
    yield from _check_removals(here, site.headers, defaults)
    for name in site.headers:
        if name.lower() == HSTS.lower() and site.tls and site.tls.hsts:
            line = config.position_of(*loc, "tls", "hsts").line
            message = f"tls.hsts sets {name} too (line {line})"
            yield Violation((*here, name), message, "remove one of them")
        added = find_in_extra(site.extra, "add_header", name)
        if added:
            message = f"`extra` adds {name} too ({place_in_extra(config, loc, added)})"
            yield Violation((*here, name), message, "remove one of them")


def check_location_headers(
    loc: Loc, location: Location | FileLocation | ProxyLocation, site: Site, config: Config
) -> Iterator[Violation]:
    """Each header is set once; what is taken away is a default or the site's."""
    here = (*loc, "headers")
    yield from _check_names(here, location.headers, config)
    defaults = DEFAULT_HEADERS[location.role] if location.role != "proxy" else ()
    outer = merge_headers(defaults, site.headers.items())
    yield from _check_removals(here, location.headers, {name.lower() for name, _ in outer})
    for name in location.headers:
        if location.role == "private" and name.lower() == "content-disposition":
            yield Violation((*here, name), "the app sets the Content-Disposition of private files")
        if name.lower() == HSTS.lower() and site.tls and site.tls.hsts:
            line = config.position_of(*loc[:2], "tls", "hsts").line
            message = f"tls.hsts sets {name} for the whole site (line {line})"
            yield Violation((*here, name), message, "remove one of them")


def _check_names(here: Loc, headers: ResponseHeaders, config: Config) -> Iterator[Violation]:
    known: dict[str, str] = {}
    for name in headers:
        first = known.setdefault(name.lower(), name)
        if first != name:
            line = config.position_of(*here, first).line
            message = f"{name} and {first} (line {line}) are one header"
            yield Violation((*here, name), message, "remove one of them", is_independent=True)


def _check_removals(here: Loc, headers: ResponseHeaders, outer: set[str]) -> Iterator[Violation]:
    for name, value in headers.items():
        if value is None and name.lower() not in outer:
            hint = "null removes a header of the site or a default; remove this line"
            yield Violation((*here, name), f"there is no {name} to remove", hint)


def declared_headers(
    site: SiteContext, location: Location | FileLocation | ProxyLocation | None = None
) -> tuple[SentHeader, ...]:
    """The headers that the file requires of a location's responses, or of the site's own."""
    own = location.headers if location else {}
    hsts = site.tls and site.tls.hsts_header
    levels = ([(HSTS, hsts)] if hsts else [], site.declared.headers.items(), own.items())
    # These keep their defaults beside `inline`.
    guarded = GUARDS if getattr(location, "inline", ()) else ()
    return tuple(one for one in merge_headers(*levels) if one[0].lower() not in guarded)
