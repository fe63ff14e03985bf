"""Where requests are passed on to, in the form that nginx needs for each kind of address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from hashlib import sha256

from reconcile.dataclass import dataclass
from reconcile.nginx.render.quote import Raw, nginx_quote
from reconcile.nginx.render.site_view import ProxyView, SiteView

_LOCAL = "localhost"
_NAME = re.compile(r"(?P<host>[A-Za-z0-9_.-]+):(?P<port>\d+)", re.ASCII)


@dataclass(frozen=True)
class Proxy:
    """The nginx values of a proxy; `variable_host` is a name that is resolved by request."""

    url: Raw
    variable_host: str | None
    resolvers: tuple[str, ...]
    websocket: bool
    timeout_s: int | None


@dataclass(frozen=True)
class UpstreamBlock:
    """Several servers under one name of the http block."""

    name: str
    servers: tuple[str, ...]


def upstream_host(server: str) -> str | None:
    """The name that an address has to be resolved from, None for an IP address or a socket."""
    found = _NAME.fullmatch(server)
    is_ip = found and re.fullmatch(r"[\d.]+", found["host"])
    return found["host"] if found and not is_ip and found["host"] != _LOCAL else None


def proxy(site: SiteView, view: ProxyView) -> Proxy:
    """The nginx values of `view`. Errors: Unquotable."""
    [first, *others] = view.servers
    by_request = upstream_host(first) if view.resolvers and not others else None
    target = upstream_name(site, view) if others else first
    url = Raw(nginx_quote(f"http://{target}"))
    if by_request:
        url = Raw(f"http://$reconcile_upstream:{first.rpartition(':')[2]}")
    return Proxy(url, by_request, view.resolvers, view.websocket, view.timeout_s)


def upstream_blocks(site: SiteView) -> Iterator[UpstreamBlock]:
    """The blocks of the site's proxies with several servers, each once."""
    blocks = {
        upstream_name(site, view): view.servers for view in site.proxies if len(view.servers) > 1
    }
    yield from (UpstreamBlock(name, servers) for name, servers in blocks.items())


def upstream_name(site: SiteView, view: ProxyView) -> str:
    """A name that no other site has."""
    return f"reconcile_{_digest(site.name, *view.servers)}"


def site_variable(site: SiteView, purpose: str) -> Raw:
    """A variable of the http block, where each site needs its own."""
    return Raw(f"$reconcile_{purpose}_{_digest(site.name)}")


def _digest(*texts: str) -> str:
    return sha256("\0".join(texts).encode("utf-8", "surrogateescape")).hexdigest()[:8]
