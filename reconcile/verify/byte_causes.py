"""What stands between a file and its visitors, where they get other bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from reconcile.filesystem.compress import SUFFIXES
from reconcile.nginx.model.open_file_cache import cache_of

if TYPE_CHECKING:
    from reconcile.nginx.model.scope import Scope
    from reconcile.nginx.routing.route import Route
    from reconcile.verify.compare_bytes import Mismatch
    from reconcile.verify.serving import Serving

_REWRITERS = ("sub_filter", "ssi", "add_before_body", "add_after_body", "image_filter")
"""Directives of modules that change a body."""
_REWRITERS_BY_FILE = ("xslt_stylesheet", "source_charset")
_CACHE_HEADERS = ("X-Cache", "X-Cache-Status", "X-Proxy-Cache", "Age", "Via")


def cause(found: Mismatch, route: Route, path: str, serving: Serving) -> str:
    """What stands between `path` and the response, with what to do; "" where it is not known."""
    return next(_causes(found, route, path, serving), "")


def _causes(found: Mismatch, route: Route, path: str, serving: Serving) -> Iterator[str]:
    if route.answer.kind not in ("unknown", "file") or route.answer.path not in (None, path):
        yield _other_answer(route)
    if found.encoding:
        yield from _sibling(found, path, serving)
    if route.scope:
        yield from _directives(route.scope)
    for name in _CACHE_HEADERS:
        for value in found.response.values(name):
            yield f"a cache is in between: {name}: {value}"
    if not serving.is_loaded:
        yield "nginx has not loaded the configuration on the disk: systemctl reload nginx"


def _other_answer(route: Route) -> str:
    answer, where = route.answer, _place(route)
    if answer.kind == "file":
        return f"{where} sends {answer.path}"
    if answer.kind == "pass":
        cache = route.scope.argument("proxy_cache", "off") if route.scope else "off"
        cached = f", and proxy_cache {cache} may hold an older one" if cache != "off" else ""
        return f"{where} passes it to {answer.target}{cached}"
    tried = f" for {answer.path}" if answer.path else ""
    reason = f", {answer.reason}" if answer.reason else ""
    return f"{where} answers {answer.status}{tried}{reason}"


def _place(route: Route) -> str:
    if route.location:
        return f"{route.location} ({route.location.directive.place})"
    return str(route.server) if route.server else "nginx"


def _sibling(found: Mismatch, path: str, serving: Serving) -> Iterator[str]:
    suffix = {str(encoding): suffix for encoding, suffix in SUFFIXES.items()}[found.encoding]
    if serving.host.files.stat(path + suffix, follow=True) is not None:
        yield f"{path}{suffix} is broken or of another version: create it again, or remove it"


def _directives(scope: Scope) -> Iterator[str]:
    for name in _REWRITERS:
        for directive in scope.inherited(name):
            if directive.args[0] != "off":
                yield f"{name} ({directive.place}) changes it on its way"
    for name in _REWRITERS_BY_FILE:
        for directive in scope.inherited(name):
            yield f"{name} ({directive.place}) changes it on its way"
    if (cached := cache_of(scope)) is not None:
        yield (f"open_file_cache ({cached.place}) keeps an older file open: systemctl reload nginx")
