"""What nginx passes on: the path that it sends to an upstream, and the headers that it sets.

Source: ngx_http_proxy_module, ngx_http_upstream; measured against what an upstream received.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

from reconcile.dataclass import dataclass
from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.model.latin1 import from_raw
from reconcile.nginx.routing import uri
from reconcile.nginx.routing.indeterminate import Indeterminate

if TYPE_CHECKING:
    from reconcile.nginx.routing.request_context import RequestContext
    from reconcile.nginx.routing.route import Route

BY_DEFAULT = "nginx's default"
_SETTERS = {
    "proxy_pass": "proxy_set_header",
    "grpc_pass": "grpc_set_header",
    "fastcgi_pass": "fastcgi_param",
    "uwsgi_pass": "uwsgi_param",
    "scgi_pass": "scgi_param",
}
_URL = re.compile(r"(?P<scheme>https?)://(?P<host>unix:[^:]+:?|[^/?]*)(?P<uri>.*)")
_PORTS = {"http": "80", "https": "443"}


class PassedUri(NamedTuple):
    """The path and arguments that an upstream gets, and how nginx came by them."""

    uri: str
    why: str


@dataclass(frozen=True)
class PassedHeader:
    """A header or parameter for the upstream: "" is not sent, None is known by nginx alone.

    `origin` is the directive's `file:line`, or BY_DEFAULT.
    """

    name: str
    value: str | None
    origin: str


def passed_uri(context: RequestContext, url: str) -> PassedUri | None:
    """What a proxy_pass to `url` requests; None where it depends on what only nginx knows."""
    try:
        found = _URL.fullmatch(from_raw(context.expand(url)))
    except Indeterminate:
        return None
    if found is None:
        return None
    if found["uri"] and "$" in url:
        return PassedUri(found["uri"], "as proxy_pass writes it")
    if not found["uri"] and context.valid_unparsed_uri:
        return PassedUri(context.request.uri, "as the client sent it")
    args = f"?{context.args}" if context.args else ""
    replaces = bool(found["uri"]) and context.valid_location
    rest = context.path[len(context.scope.name) :] if replaces else context.path
    rest = from_raw((uri.escaped(rest) if context.needs_escape else rest) + args)
    if replaces:
        why = f"normalised, {found['uri']} in place of {from_raw(context.scope.name)}"
        return PassedUri(found["uri"] + rest, why)
    return PassedUri(rest, "normalised: it was rewritten")


def passed_headers(route: Route) -> tuple[PassedHeader, ...]:
    """The headers or parameters that the configuration sets for the upstream, in its order."""
    handler = route.scope.handler if route.scope else None
    if route.scope is None or handler is None or handler.name not in _SETTERS:
        return ()
    known = _proxy_variables(route, handler)

    def value(template: str) -> str | None:
        """The template with the variables of this upstream, then those of the request."""
        for name, text in known.items():
            template = template.replace(f"${{{name}}}", text).replace(f"${name}", text)
        return route.expanded(template)

    written = route.scope.inherited(_SETTERS[handler.name])
    own = list(_passed_headers(written, value))
    names = {header.name.lower() for header in own}
    defaults = _defaults(handler, value)
    return (*(one for one in defaults if one.name.lower() not in names), *own)


def _passed_headers(
    directives: list[Directive], value: Callable[[str], str | None]
) -> Iterator[PassedHeader]:
    for directive in directives:
        name, template, *condition = directive.args
        found = value(template)
        if not (condition == ["if_not_empty"] and found == ""):
            yield PassedHeader(name, found, directive.place)


def _defaults(handler: Directive, value: Callable[[str], str | None]) -> Iterator[PassedHeader]:
    if handler.name == "proxy_pass":
        yield PassedHeader("Host", value("$proxy_host"), BY_DEFAULT)
        yield PassedHeader("Connection", "close", BY_DEFAULT)


def _proxy_variables(route: Route, handler: Directive) -> Mapping[str, str]:
    url = route.expanded(handler.args[0]) if handler.name == "proxy_pass" else None
    found = _URL.fullmatch(url or "")
    if found is None:
        return {}
    if found["host"].startswith("unix:"):
        return {"proxy_host": "localhost", "proxy_port": ""}
    host, _, port = found["host"].partition(":")
    usual = _PORTS[found["scheme"]]
    is_usual = port in ("", usual)
    return {"proxy_host": host if is_usual else found["host"], "proxy_port": port or usual}
