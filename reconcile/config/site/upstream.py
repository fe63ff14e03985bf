"""Where requests are passed on to: one address, or several that share the load."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Discriminator, Field, Tag

from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.network import Upstream
from reconcile.engine.model import Finding
from reconcile.nginx.render.proxying import upstream_host
from reconcile.nginx.render.site_view import ProxyView

if TYPE_CHECKING:
    from reconcile.config.context import SiteContext

# Pydantic adds the tag to the location of an error: it must not look like a key.
ONE, SEVERAL = "(address)", "(list)"


def _upstream_tag(value: Any) -> str:
    return SEVERAL if isinstance(value, tuple | list) else ONE


UpstreamChoice = Annotated[
    Annotated[Upstream, Tag(ONE)]
    | Annotated[tuple[Upstream, ...], Tag(SEVERAL), Field(min_length=1)],
    Discriminator(_upstream_tag),
]


def check_upstreams(loc: Loc, upstreams: tuple[str, ...]) -> Iterator[Violation]:
    """Several are different addresses: a name among them could stop nginx at boot."""
    for index, upstream in enumerate(upstreams if len(upstreams) > 1 else ()):
        here = (*loc, index)
        if upstream in upstreams[:index]:
            yield Violation(here, f"duplicate upstream {upstream}", is_independent=True)
        if upstream_host(upstream):
            message = f"{upstream} is a name: nginx would not start while it cannot be resolved"
            yield Violation(here, message, "use IP addresses or sockets in a list")


def proxy_view(
    site: SiteContext, servers: tuple[str, ...], *, timeout_s: int | None, websocket: bool
) -> ProxyView:
    """What nginx's template is given. A name that the host itself knows needs no resolver."""
    host = upstream_host(servers[0])
    is_asked = host is not None and host not in site.facts.local_names
    resolvers = site.facts.resolvers if is_asked else ()
    return ProxyView(servers, timeout_s, websocket, resolvers)


def warn_unresolvable(site: SiteContext) -> Iterator[Finding]:
    """A warning for a name that nginx has to resolve when it starts."""
    host = upstream_host(site.upstream) if site.upstream else None
    if host and host not in site.facts.local_names and not site.facts.resolvers:
        yield Finding(
            "upstream-name",
            "warning",
            f"nginx does not start while it cannot resolve {host}, the upstream of {site.name}:"
            " /etc/resolv.conf names no server that it could ask later.",
            (str(site.position_of("app", "upstream")),),
            fix="Use an IP address, or add the name to /etc/hosts.",
        )
