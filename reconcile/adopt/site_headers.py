"""Headers of hand-written servers and locations, read as `headers`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reconcile.config.fields.field_type import InvalidValue
from reconcile.config.site.headers import parse_response_header, parse_response_header_value
from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.render.response_headers import DEFAULT_HEADERS, HSTS
from reconcile.types import LocationRole


def adopt_site_headers(scope: Scope, entry: dict[str, Any]) -> Iterator[Directive]:
    """Set `headers` of the site's entry; yield the directives that it covers."""
    directives = {} if "add_header_inherit" in scope.own else _expressible(scope)
    if "hsts" in entry.get("tls", {}):
        directives.pop(HSTS.lower(), None)
    if directives:
        entry["headers"] = {one.args[0]: one.args[1] for one in directives.values()}
    yield from directives.values()


def adopt_location_headers(
    scope: Scope, entry: dict[str, Any], site: Mapping[str, Any], *, is_managed: bool
) -> None:
    """Set `headers` of the location's entry, where they differ from what it gets anyway.

    What a hand-written location lacks it gets: only a managed one lacks it on purpose.
    """
    role: LocationRole = entry["role"]
    defaults = {name.lower(): value for name, value in DEFAULT_HEADERS[role]}
    outer = defaults | {name.lower(): value for name, value in site.get("headers", {}).items()}
    own = _expressible(scope)
    headers: dict[str, str | None] = {
        one.args[0]: one.args[1] for name, one in own.items() if outer.get(name) != one.args[1]
    }
    if "hsts" in site.get("tls", {}):
        headers = {name: value for name, value in headers.items() if name.lower() != HSTS.lower()}
    if is_managed:
        names = dict(DEFAULT_HEADERS[role]) | site.get("headers", {})
        present = {one.args[0].lower() for one in scope.own.get("add_header", ())}
        headers |= {name: None for name in names if name.lower() not in present}
    if headers:
        entry["headers"] = headers


def _expressible(scope: Scope) -> dict[str, Directive]:
    """The add_header directives of a level that `headers` can express, by lower-case name."""
    found: dict[str, Directive] = {}
    for directive in scope.own.get("add_header", ()):
        name, value = directive.args[:2]
        try:
            parse_response_header(name)
            parse_response_header_value(value)
        except InvalidValue:
            continue
        found.setdefault(name.lower(), directive)
    return found
