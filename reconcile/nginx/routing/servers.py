"""Which server block answers a connection and a Host header, and why."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from ipaddress import ip_address

from reconcile.nginx.model.config_tree import ConfigTree, named
from reconcile.nginx.model.latin1 import to_raw
from reconcile.nginx.model.listen import ANY_IPV4, ANY_IPV6, Address, Listen, listens_in
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.routing import pcre
from reconcile.nginx.routing.indeterminate import Indeterminate
from reconcile.nginx.routing.location_match import LocationTable


class Server:
    """One server block with its names, addresses and locations."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope
        named = scope.own.get("server_name", ())
        self.names = tuple(name for directive in named for name in directive.args) or ("",)
        self.listens = listens_in(scope.own.get("listen", ()))
        self._locations: LocationTable | None = None

    @property
    def locations(self) -> LocationTable:
        """The server's locations, indexed on first use."""
        if self._locations is None:
            self._locations = LocationTable(self.scope)
        return self._locations

    @property
    def place(self) -> str:
        """The position of the server block as `file:line`."""
        return self.scope.directive.place

    def __str__(self) -> str:
        return f"server {' '.join(filter(None, self.names)) or 'without a name'} ({self.place})"


@dataclass(frozen=True)
class ServerChoice:
    """The server that answers, why, and by which of its listens."""

    server: Server
    listen: Listen
    why: str
    match: re.Match[str] | None = None


@dataclass
class _AddressNames:
    """The servers of one address, by name."""

    default: Server
    default_why: str
    listens: dict[int, Listen] = field(default_factory=dict)
    exact: dict[str, Server] = field(default_factory=dict)
    leading: dict[str, Server] = field(default_factory=dict)
    trailing: dict[str, Server] = field(default_factory=dict)
    regexes: list[tuple[str, Server]] = field(default_factory=list)
    taken: set[str] = field(default_factory=set)

    def add(self, server: Server) -> None:
        """Index `server` under each of its names; the first server of a name wins."""
        for name in server.names:
            if name.startswith("~"):
                self.regexes.append((name[1:], server))
            elif name.startswith("*."):
                self.leading.setdefault(name[1:].lower(), server)
            elif name.endswith(".*"):
                self.trailing.setdefault(name[:-1].lower(), server)
            else:
                self._add_plain(name.lower(), server)

    def _add_plain(self, name: str, server: Server) -> None:
        """Add `name` or `.name`; nginx ignores the whole of one that is taken already."""
        plain = name.removeprefix(".") if len(name) > 1 else name
        if plain in self.taken:
            return
        self.taken.add(plain)
        if plain == name:
            self.exact[name] = server
        elif name not in self.leading:
            self.exact[plain] = self.leading[name] = server


class ServerTable:
    """All server blocks of a configuration, indexed by address and host."""

    def __init__(self, tree: ConfigTree) -> None:
        self.servers = tuple(_servers(tree))
        self._by_address: dict[Address, list[tuple[Server, Listen]]] = {}
        for server in self.servers:
            for listen in server.listens:
                for address in _resolved(listen.address):
                    self._by_address.setdefault(address, []).append((server, listen))
        self._names: dict[Address, _AddressNames] = {}
        for address in self._by_address:
            self._share_protocol(address)

    def _share_protocol(self, address: Address) -> None:
        """Give every listen of an address the protocol that any of them, or `ssl on`, asks for."""
        bound = self._by_address[address]
        default = _default_of(bound)[0]
        ssl = any(one.ssl for _, one in bound) or default.scope.argument("ssl", "off") == "on"
        proxied = any(one.proxy_protocol for _, one in bound)
        shared = [(server, replace(one, ssl=ssl, proxy_protocol=proxied)) for server, one in bound]
        self._by_address[address] = shared
        for (server, listen), (_, its) in zip(shared, bound, strict=True):
            server.listens = tuple(listen if one is its else one for one in server.listens)

    @property
    def addresses(self) -> tuple[Address, ...]:
        """Every address that a server listens on."""
        return tuple(self._by_address)

    def bound(self, address: Address) -> Address | None:
        """The address whose servers take a connection to `address`."""
        family = ANY_IPV6 if ":" in address.host else ANY_IPV4
        for candidate in (address, Address(family, address.port)):
            if candidate in self._by_address:
                return candidate
        both = Address(ANY_IPV6, address.port)
        if any(not listen.ipv6only for _, listen in self._by_address.get(both, ())):
            return both
        return None

    def find(self, address: Address, host: str) -> ServerChoice:
        """The server for a connection to `address` with `host` as its Host header.

        Errors: Indeterminate where nothing listens there, or a regex name cannot be evaluated.
        """
        bound = self.bound(address)
        if bound is None:
            raise Indeterminate(f"no server listens on {address}")
        names = self._names_of(bound)
        server, why, match = self._by_name(names, to_raw(hostname(host)))
        return ServerChoice(server, names.listens[id(server)], why, match)

    def by_sni(self, address: Address, host: str) -> Server | None:
        """The server whose TLS settings apply; an IP address as `host` is not sent as SNI."""
        if is_ip(host):
            return self.default(address)
        return self.find(address, host).server

    def default(self, address: Address) -> Server | None:
        """The server that answers unknown names on `address`."""
        bound = self.bound(address)
        return self._names_of(bound).default if bound else None

    def _names_of(self, address: Address) -> _AddressNames:
        if address not in self._names:
            self._names[address] = _index_names(self._by_address[address])
        return self._names[address]

    @staticmethod
    def _by_name(names: _AddressNames, host: str) -> tuple[Server, str, re.Match[str] | None]:
        if host in names.exact:
            return names.exact[host], "server_name matches exactly", None
        for at in _dots(host):
            if host[at:] in names.leading and at:
                return names.leading[host[at:]], f"server_name *{host[at:]} matches", None
        for at in reversed(_dots(host)):
            head, rest = host[: at + 1], host[at + 1 :]
            if rest and head in names.trailing:
                return names.trailing[head], f"server_name {head}* matches", None
        if host:
            for written, server in names.regexes:
                match = _server_regex(written).search(host)
                if match:
                    return server, f"server_name ~{written} is the first regex to match", match
        return names.default, names.default_why, None


def is_ip(host: str) -> bool:
    """Whether a Host header names an IP address, with or without a port."""
    try:
        ip_address(hostname(host).strip("[]"))
    except ValueError:
        return False
    return True


def hostname(host: str) -> str:
    """The name that a Host header asks for: lower case, without port and trailing dot."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].lower().removesuffix(".")


def _server_regex(written: str) -> pcre.Regex:
    raw = to_raw(written)
    pattern = pcre.compiled(raw, caseless=any("A" <= char <= "Z" for char in raw))
    if pattern is None:
        raise Indeterminate(f"the regex of server_name ~{written} cannot be evaluated")
    return pattern


def _dots(host: str) -> list[int]:
    return [index for index, char in enumerate(host) if char == "."]


def _index_names(bound: list[tuple[Server, Listen]]) -> _AddressNames:
    chosen = _default_of(bound)
    why = "default_server, and no name matches"
    if len(bound) == 1:
        why = "only server of this address"
    elif not chosen[1].default_server:
        why = "first server of this address, and no name matches"
    names = _AddressNames(chosen[0], why)
    for server, listen in bound:
        if id(server) not in names.listens:
            names.add(server)
            names.listens[id(server)] = listen
    return names


def _default_of(bound: list[tuple[Server, Listen]]) -> tuple[Server, Listen]:
    return next((pair for pair in bound if pair[1].default_server), bound[0])


def _resolved(address: Address) -> tuple[Address, ...]:
    if address.host == "localhost":
        return Address("127.0.0.1", address.port), Address("::1", address.port)
    return (address,)


def _servers(tree: ConfigTree) -> Iterator[Server]:
    for http in named(tree.directives, "http"):
        outer = Scope(tree, http)
        for directive in outer.own.get("server", ()):
            yield Server(Scope(tree, directive, outer))
