"""Where requests are passed on to, in the form that nginx needs for each kind of address."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256

from reconcile.dataclass import dataclass
from reconcile.nginx.model.config_loader import parse
from reconcile.nginx.render.quote import Raw, nginx_quote
from reconcile.nginx.render.response_headers import SentHeader, proxied_headers
from reconcile.nginx.render.site_view import ProxyLocationView, ProxyView, SiteView

CLIENT_KEY = "address, IPv6 by /64"
ZONE_SIZE = "10m"
"""Nginx silently keeps its old configuration where a zone changes its key or size under one
name: the name is made of both."""
_LOCAL = "localhost"
_NAME = r"(?a)(?P<host>[A-Za-z0-9_.-]+):(?P<port>\d+)"


@dataclass(frozen=True)
class Proxy:
    """The nginx values of a proxy; `variable_host` is a name that is resolved by request."""

    url: Raw
    variable_host: str | None
    resolvers: tuple[str, ...]
    websocket: bool
    timeout_s: int | None


@dataclass(frozen=True)
class ProxiedLocation:
    """The nginx values of a location that is passed on."""

    view: ProxyLocationView
    modifier: Raw
    proxy: Proxy
    headers: tuple[SentHeader, ...]
    zone: str
    rewrite: Raw | None
    extra: Raw


@dataclass(frozen=True)
class UpstreamBlock:
    """Several servers under one name of the http block."""

    name: str
    servers: tuple[str, ...]


def upstream_host(server: str) -> str | None:
    """The name that an address has to be resolved from, None for an IP address or a socket."""
    found = re.fullmatch(_NAME, server)
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


def proxied_location(site: SiteView, view: ProxyLocationView) -> ProxiedLocation:
    """The nginx values of `view`. Errors: Unquotable; NginxSyntaxError for its `extra`."""
    target, rewrite = proxy(site, view.proxy), None
    if view.strip_prefix:
        # Nginx replaces the prefix itself, unless variables are part of the address.
        rewrite = strip_rewrite(view.key) if target.variable_host else None
        is_socket = view.proxy.servers[0].startswith("unix:") and len(view.proxy.servers) == 1
        url = target.url if rewrite else Raw(f"{target.url}{':/' if is_socket else '/'}")
        target = replace(target, url=url)
    return ProxiedLocation(
        view=view,
        modifier=Raw("^~" if view.key.endswith("/") else "="),
        proxy=target,
        headers=proxied_headers(site, view),
        zone=f"reconcile_{_zone_digest(site.name, view.key, CLIENT_KEY, ZONE_SIZE)}",
        rewrite=rewrite,
        extra=checked_directives(view.extra, f"sites.{site.name}.locations.{view.key}.extra"),
    )


def strip_rewrite(key: str) -> Raw:
    """A `rewrite` that removes a prefix."""
    literal = re.sub(r"[^A-Za-z0-9/_-]", lambda found: f"[{found[0]}]", key)
    return Raw(f'rewrite "(?s)^{literal}(.*)$" /$1 break')


def checked_directives(text: str, where: str) -> Raw:
    """A user's directives, parsed by themselves, so that no `}` of theirs closes our block."""
    stripped = text.strip("\n")
    parse(stripped.encode("utf-8", "surrogateescape"), where)
    return Raw(stripped)


def upstream_blocks(site: SiteView) -> Iterator[UpstreamBlock]:
    """The blocks of the site's proxies with several servers, each once."""
    blocks = {
        upstream_name(site, view): view.servers for view in site.proxies if len(view.servers) > 1
    }
    yield from (UpstreamBlock(name, servers) for name, servers in blocks.items())


def upstream_name(site: SiteView, view: ProxyView) -> str:
    """A name that no other site has."""
    return f"reconcile_{_zone_digest(site.name, *view.servers)}"


def site_variable(site: SiteView, purpose: str) -> Raw:
    """A variable of the http block, where each site needs its own."""
    return Raw(f"$reconcile_{purpose}_{_zone_digest(site.name)}")


def _zone_digest(*texts: str) -> str:
    return sha256("\0".join(texts).encode("utf-8", "surrogateescape")).hexdigest()[:8]
