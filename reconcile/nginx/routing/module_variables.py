"""Variables of modules that guard files by what a request brings with it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reconcile.nginx.routing.request_context import RequestContext


def _invalid_referer(context: RequestContext) -> str | None:
    """Source: ngx_http_referer_module; without the directive every referrer is valid."""
    written = [word for one in context.scope.inherited("valid_referers") for word in one.args]
    if not written:
        return ""
    if context.request.headers.get("referer"):
        return None
    return "" if "none" in written else "1"


def _secure_link(context: RequestContext) -> str | None:
    """Source: ngx_http_secure_link_module; a request without a digest has no valid link."""
    written = context.scope.inherited("secure_link")
    if not written:
        return None if context.scope.inherited("secure_link_secret") else ""
    digest = context.expand(written[0].args[0]).partition(",")[0]
    return None if digest else ""


MODULE_VARIABLES: Mapping[str, Callable[[RequestContext], str | None]] = {
    "invalid_referer": _invalid_referer,
    "secure_link": _secure_link,
}
"""Each by its name; None where it cannot be known."""
