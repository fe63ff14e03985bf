"""A site's name, asked over another address, is answered by another server."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, note, warning
from reconcile.nginx.model.listen import ANY_IPV4, ANY_IPV6, Address
from reconcile.nginx.routing.servers import Server

_FAMILIES = {ANY_IPV4: ("IPv4", "127.0.0.1"), ANY_IPV6: ("IPv6", "::1")}


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    for server in inspection.servers:
        name = inspection.requests.reachable_name(server)
        if name and name != "localhost":
            for port in sorted({listen.address.port for listen in server.listens}):
                yield from _over_the_other(inspection, server, name, port)
                yield from _without_name(inspection, server, name, port)


def _over_the_other(
    inspection: HostInspection, server: Server, name: str, port: int
) -> Iterator[RuleResult]:
    own = {listen.address for listen in server.listens}
    for wildcard, (family, loopback) in _FAMILIES.items():
        other = Address(wildcard, port)
        if other in own or not any(Address(w, port) in own for w in _FAMILIES):
            continue
        table = inspection.router.servers
        if table.bound(Address(loopback, port)) != other:
            continue
        if (taker := table.find(Address(loopback, port), name).server) is not server:
            spelled = f"[::]:{port}" if family == "IPv6" else str(port)
            yield warning(
                f"Over {family}, {name} is answered by another server.",
                f"{server.place}: has no listen {spelled}",
                f"{taker.place}: answers {name} on {other}",
                fix=f"{server.place}: add listen {spelled}; then reload nginx.",
            )


def _without_name(
    inspection: HostInspection, server: Server, name: str, port: int
) -> Iterator[RuleResult]:
    address = Address("127.0.0.1", port)
    default = inspection.router.servers.default(address)
    listens_here = any(listen.address == Address(ANY_IPV4, port) for listen in server.listens)
    if default is not None and listens_here and default is not server:
        yield note(
            f"A request to port {port} by IP address alone does not reach {name}.",
            f"{default.place}: answers every name that no server has",
            fix=f"Ask with the name: curl -H 'Host: {name}' http://127.0.0.1:{port}/",
        )


RULE = Rule("default-server-capture", ("DB12", "DB7"), check)
