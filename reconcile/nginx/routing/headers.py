"""The headers that a client sees because of the configuration.

Source: nginx's headers filter and its types (1.22 to 1.31), measured against its answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.model.media_types import BUILT_IN_TYPES
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.model.sizes import parse_seconds
from reconcile.nginx.routing.route import Route

SAFE_STATUSES = frozenset([200, 201, 204, 206, 301, 302, 303, 304, 307, 308])
"""Only with these does nginx add headers that are not marked `always`."""

_EPOCH = "Thu, 01 Jan 1970 00:00:01 GMT"
_FAR = "Thu, 31 Dec 2037 23:55:55 GMT"
_CHARSET_TYPES = frozenset(
    [
        *("text/html", "text/xml", "text/plain", "text/vnd.wap.wml"),
        *("application/javascript", "application/rss+xml"),
    ]
)


@dataclass(frozen=True)
class AddedHeader:
    """An `add_header` in force at a level; its value may contain variables."""

    name: str
    value: str
    always: bool
    place: str


@dataclass(frozen=True)
class SentHeader:
    """A header of the answer; a `value` of None depends on the moment or the request."""

    name: str
    value: str | None
    place: str


def added_headers(scope: Scope) -> tuple[AddedHeader, ...]:
    """The add_header directives in force at a level, inheritance resolved.

    A level with any of its own has only those, unless add_header_inherit is
    `merge` (the outer ones are sent too) or `off` (nothing is inherited).
    """
    own = tuple(_added(directive) for directive in scope.own.get("add_header", ()))
    rule = scope.argument("add_header_inherit", "on")
    if scope.parent is None or rule == "off" or (own and rule == "on"):
        return own
    return own + added_headers(scope.parent)


def _added(directive: Directive) -> AddedHeader:
    name, value, *rest = directive.args
    return AddedHeader(name, value, "always" in rest, directive.place)


def sent_headers(route: Route) -> tuple[SentHeader, ...]:
    """The headers that the configuration adds to an answer, in nginx's order.

    Empty where the level is unknown. An upstream's own headers, Last-Modified,
    ETag and Date are not included.
    """
    scope, status = route.scope, route.answer.status
    if scope is None or route.answer.kind == "unknown":
        return ()
    is_safe = status is None or status in SAFE_STATUSES
    sent = list(_expires(scope)) if is_safe else []
    for added in added_headers(scope):
        value = route.expanded(added.value)
        if value != "" and (is_safe or added.always):
            sent.append(SentHeader(added.name, value, added.place))
    return tuple(sent)


def values_of(sent: Iterable[SentHeader], name: str) -> tuple[str | None, ...]:
    """Every value that the client sees for a header, one for each line."""
    return tuple(header.value for header in sent if header.name.lower() == name.lower())


def _expires(scope: Scope) -> Iterator[SentHeader]:
    found = scope.inherited("expires")
    if not found or found[0].args[-1] == "off":
        return
    *modified, written = found[0].args
    expires, cache_control = _expiry(written, is_modified=bool(modified))
    yield SentHeader("Expires", expires, found[0].place)
    yield SentHeader("Cache-Control", cache_control, found[0].place)


def _expiry(written: str, *, is_modified: bool) -> tuple[str | None, str | None]:
    """Expires and Cache-Control for an `expires` value; None where the clock decides."""
    if written == "epoch":
        return _EPOCH, "no-cache"
    if written == "max":
        return _FAR, "max-age=315360000"
    seconds = parse_seconds(written.lstrip("+-"))
    if seconds is None or (is_modified and not written.startswith("-")):
        return None, "max-age=0" if seconds == 0 else None
    if written.startswith("-") and seconds:
        return None, "no-cache"
    return None, f"max-age={seconds}"


def content_type(scope: Scope, path: str) -> str:
    """The Content-Type that nginx itself gives an answer at `path`."""
    found = _types(scope).get(_extension(path).lower()) or scope.argument(
        "default_type", "text/plain"
    )
    charset = scope.argument("charset", "off")
    listed = scope.inherited("charset_types")
    allowed = (
        {name for d in listed for name in d.args} | {"text/html"} if listed else _CHARSET_TYPES
    )
    if charset == "off" or not (found in allowed or "*" in allowed):
        return found
    return f"{found}; charset={charset}"


def _types(scope: Scope) -> Mapping[str, str]:
    blocks = scope.inherited("types")
    if not blocks:
        return BUILT_IN_TYPES
    return {
        extension.lower(): line.name
        for block in blocks
        for line in scope.tree.children(block)
        for extension in line.args
    }


def _extension(path: str) -> str:
    head, _, name = path.rpartition("/")
    stem, dot, extension = name.rpartition(".")
    return extension if dot and stem and (head or name) else ""
