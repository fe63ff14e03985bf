"""Ports: what speaks TLS, and which of several sites answers."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.config.checks.fault import Fault
from reconcile.config.models.sites import Site
from reconcile.config.models.spec import Spec
from reconcile.config.nodes import Loc
from reconcile.config.values.hosts import ListenOn

_Socket = tuple[str, int]
ANY_IPV4 = "0.0.0.0"  # noqa: S104 - the word for it; nothing is bound here


def check_listens(spec: Spec) -> Iterator[Fault]:
    for name, site in spec.sites.items():
        yield from _check_site(("sites", name), site)
    yield from _check_names(spec)
    yield from _check_defaults(spec)
    yield from _check_protocols(spec)


def _check_site(loc: Loc, site: Site) -> Iterator[Fault]:
    seen: set[_Socket] = set()
    for index, listen in enumerate(site.listen or ()):
        here = (*loc, "listen", index)
        if site.tls is None and (listen.ssl or listen.port == 443):
            yield Fault(
                here, f"port {listen.port} needs tls", "give the site tls:, or another port"
            )
        if not seen.isdisjoint(_sockets(listen)):
            yield Fault(here, f"port {listen.port} stands twice")
        seen.update(_sockets(listen))
    if site.tls and not any(map(site.speaks_tls, site.listens)):
        yield Fault((*loc, "tls"), "no port of this site speaks TLS", 'add 443 or "8443 ssl"')


def _check_names(spec: Spec) -> Iterator[Fault]:
    """Where two sites have a name on one port, nginx only warns and never uses the second."""
    taken: dict[tuple[_Socket, str], str] = {}
    for name, site in spec.sites.items():
        for index, host in enumerate(site.server_names):
            for socket in _all_sockets(site):
                first = taken.setdefault((socket, host), name)
                if first != name:
                    yield Fault(
                        ("sites", name, "server_names", index),
                        f"{host} on port {socket[1]} belongs to the site {first}",
                    )


def _check_defaults(spec: Spec) -> Iterator[Fault]:
    taken: dict[_Socket, str] = {}
    for name, site in spec.sites.items():
        for socket in _all_sockets(site) if site.default_server else ():
            first = taken.setdefault(socket, name)
            if first != name:
                yield Fault(
                    ("sites", name, "default_server"),
                    f"the site {first} is the default server of port {socket[1]}",
                    "keep one of them",
                )


def _check_protocols(spec: Spec) -> Iterator[Fault]:
    spoken: dict[_Socket, tuple[str, bool]] = {}
    for name, site in spec.sites.items():
        for listen, socket in _listened(site):
            tls = site.speaks_tls(listen)
            first, first_tls = spoken.setdefault(socket, (name, tls))
            if tls != first_tls:
                protocol = "TLS" if first_tls else "plain HTTP"
                yield Fault(
                    ("sites", name, "listen"),
                    f"port {listen.port} speaks {protocol} for the site {first}",
                )


def _listened(site: Site) -> Iterator[tuple[ListenOn, _Socket]]:
    return ((listen, socket) for listen in site.listens for socket in _sockets(listen))


def _all_sockets(site: Site) -> Iterator[_Socket]:
    return (socket for _, socket in _listened(site))


def _sockets(listen: ListenOn) -> tuple[_Socket, ...]:
    """A bare port is bound on every address of both families."""
    addresses = (listen.address,) if listen.address else (ANY_IPV4, "[::]")
    return tuple((address, listen.port) for address in addresses)
