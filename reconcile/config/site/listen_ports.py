"""The ports of a site: which of them use TLS, and where probes are sent."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.field_type import FieldType, InvalidValue, describe
from reconcile.config.fields.network import parse_ip, parse_port
from reconcile.config.probes import Endpoint, Scheme
from reconcile.dataclass import dataclass
from reconcile.nginx.render.site_view import ListenView

if TYPE_CHECKING:
    from reconcile.config.config import Config
    from reconcile.config.context import SiteContext
    from reconcile.config.site.site import Site

_Socket = tuple[str, int]
ANY_IPV4 = "0.0.0.0"  # noqa: S104  compared with, nothing is bound here
_LISTEN = re.compile(
    r"(?:(?P<address>\d{1,3}(?:\.\d{1,3}){3}|\[[0-9A-Fa-f:.]{2,45}\]):)?"
    r"(?P<port>\d{1,5})(?P<ssl> ssl)?(?P<proxied> proxy_protocol)?",
    re.ASCII,
)
_KEYS = ("default_server", "http2")
"""Parameters of nginx's `listen` that are keys of the site."""


@dataclass(frozen=True)
class ListenAddress:
    """A port on every address ("" as `address`) or on one; `ssl` if the file requires TLS.

    `proxy_protocol`: a load balancer names each visitor's address before the request.
    """

    address: str
    port: int
    ssl: bool = False
    proxy_protocol: bool = False

    def sockets(self) -> tuple[_Socket, ...]:
        """What it binds; a bare port is bound on all addresses of both families."""
        addresses = (self.address,) if self.address else (ANY_IPV4, "[::]")
        return tuple((address, self.port) for address in addresses)


def parse_listen(value: Any) -> ListenAddress:
    """`80`, `127.0.0.1:8080`, `[::1]:8080`; with ` ssl`, ` proxy_protocol` or both."""
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise InvalidValue(f"expected a port, got {describe(value)}", "use 80")
    found = _LISTEN.fullmatch(str(value))
    if not found:
        message = f"{describe(value)} is not a port or address:port"
        raise InvalidValue(message, _listen_hint(str(value)))
    address = parse_ip(found["address"] or "")
    flags = bool(found["ssl"]), bool(found["proxied"])
    return ListenAddress(address, parse_port(found["port"]), *flags)


def _listen_hint(text: str) -> str:
    words = text.split()
    if found := next((key for key in _KEYS if key in words[1:]), None):
        return f"set `{found}` of the site instead"
    if re.fullmatch(r"\*:\d+", text):
        return f"use {text[2:]}"
    return 'use 80, 127.0.0.1:8080 or "8443 ssl proxy_protocol"'


ListenValue = Annotated[
    ListenAddress,
    FieldType(
        parse_listen,
        {
            "anyOf": [
                {"type": "integer", "minimum": 1, "maximum": 65535},
                {
                    "type": "string",
                    "pattern": r"^(?:(?:[0-9.]{7,15}|\[[0-9A-Fa-f:.]{2,45}\]):)?"
                    r"[1-9][0-9]{0,4}(?: ssl)?(?: proxy_protocol)?$",
                },
            ],
            "examples": [80, 443, "127.0.0.1:8080", "8443 ssl", "80 proxy_protocol"],
        },
    ),
]


def check_listens(config: Config) -> Iterator[Violation]:
    """Each port has one protocol, and each name and the default one site."""
    for name, site in config.sites.items():
        yield from _check_site(("sites", name), site)
    yield from _check_server_names(config)
    yield from _check_default_servers(config)
    yield from _check_protocols(config)


def _check_site(loc: Loc, site: Site) -> Iterator[Violation]:
    bound: set[_Socket] = set()
    for index, listen in enumerate(site.listen or ()):
        here = (*loc, "listen", index)
        if site.tls is None and (listen.ssl or listen.port == 443):
            yield Violation(here, f"port {listen.port} needs tls", "add tls, or use another port")
        if not bound.isdisjoint(listen.sockets()):
            yield Violation(here, f"duplicate port {listen.port}")
        bound.update(listen.sockets())
    if site.tls and not any(map(site.uses_tls, site.listens)):
        yield Violation((*loc, "tls"), "no port of this site uses TLS", 'add 443 or "8443 ssl"')


def _check_server_names(config: Config) -> Iterator[Violation]:
    """Nginx only warns of a name that two sites have on one port, and ignores the second."""
    owners: dict[tuple[_Socket, str], Loc] = {}
    for name, site in config.sites.items():
        for loc, host in _named_at(("sites", name), site):
            for _, socket in _sockets(site):
                first = owners.setdefault((socket, host), loc)
                if first[1] != name:
                    line = config.position_of(*first).line
                    message = f"{host} on port {socket[1]} belongs to the site {first[1]}"
                    yield Violation(loc, f"{message} (line {line})")


def _named_at(loc: Loc, site: Site) -> Iterator[tuple[Loc, str]]:
    """The names that a site has, each with its location in the file."""
    for key in ("server_names", "redirect_from") if site.has_content else ("redirect_from",):
        for index, host in enumerate(getattr(site, key)):
            yield (*loc, key, index), host


def _check_default_servers(config: Config) -> Iterator[Violation]:
    defaults: dict[_Socket, str] = {}
    for name, site in config.sites.items():
        for _, socket in _sockets(site) if site.default_server else ():
            first = defaults.setdefault(socket, name)
            if first != name:
                yield Violation(
                    ("sites", name, "default_server"),
                    f"the default server of port {socket[1]} is the site {first}",
                    "remove one of them",
                )


def _check_protocols(config: Config) -> Iterator[Violation]:
    protocols: dict[_Socket, tuple[str, str]] = {}
    for name, site in config.sites.items():
        for listen, socket in _sockets(site):
            own = _protocol(site, listen)
            first, protocol = protocols.setdefault(socket, (name, own))
            if own != protocol:
                yield Violation(
                    ("sites", name, "listen"),
                    f"port {listen.port} is used for {protocol} by the site {first}",
                )


def _protocol(site: Site, listen: ListenAddress) -> str:
    protocol = "TLS" if site.uses_tls(listen) else "plain HTTP"
    return f"{protocol} behind the PROXY protocol" if listen.proxy_protocol else protocol


def _sockets(site: Site) -> Iterator[tuple[ListenAddress, _Socket]]:
    return ((listen, socket) for listen in site.listens for socket in listen.sockets())


def listen_views(site: SiteContext) -> tuple[ListenView, ...]:
    """What the template is given: a bare port is one of IPv4 and, if the host has it, of IPv6."""
    return tuple(
        ListenView(address, listen.port, site.uses_tls(listen), listen.proxy_protocol)
        for listen in site.listens
        for address in ((listen.address,) if listen.address else _any_address(site))
    )


def _any_address(site: SiteContext) -> tuple[str, ...]:
    return ("", "[::]") if site.facts.ipv6 else ("",)


def plain_listens(site: SiteContext) -> tuple[ListenAddress, ...]:
    """The ports without TLS."""
    return tuple(listen for listen in site.listens if not site.uses_tls(listen))


def main_endpoint(site: SiteContext) -> Endpoint:
    """Where visitors end up: the first TLS port, else the first port."""
    listens = site.listens
    return endpoint(site, next(filter(site.uses_tls, listens), listens[0]))


def endpoint(site: SiteContext, listen: ListenAddress) -> Endpoint:
    """Where requests to one of the site's ports are sent."""
    addresses = ("127.0.0.1", "::1") if site.facts.ipv6 else ("127.0.0.1",)
    if listen.address:
        addresses = (listen.address.strip("[]"),)
    scheme: Scheme = "https" if site.uses_tls(listen) else "http"
    return Endpoint(scheme, host_to_probe(site.declared.served_names), listen.port, addresses)


def host_to_probe(names: Sequence[str]) -> str:
    """A name to send as Host; for a wildcard, a name that it covers."""
    plain = next((name for name in names if not name.startswith("*.")), None)
    return plain or "reconcile-probe" + names[0].removeprefix("*")
