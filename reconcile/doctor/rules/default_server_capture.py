"""Without `listen [::]:80;` the requests of a site over IPv6 reach another server."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.certificates import is_address
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, note
from reconcile.nginx.model.listen import ANY_IPV4, ANY_IPV6, Address
from reconcile.nginx.routing.servers import Server

_FAMILIES = {ANY_IPV4: ("IPv4", "127.0.0.1"), ANY_IPV6: ("IPv6", "::1")}


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a note for each name that another server answers over IPv4 or IPv6."""
    for server in inspection.servers:
        name = inspection.nginx.requests.reachable_name(server)
        if name and name != "localhost":
            for port in sorted({listen.address.port for listen in server.listens}):
                yield from _other_family(inspection, server, name, port)
                yield from _without_name(inspection, server, name, port)


def _other_family(
    inspection: HostInspection, server: Server, name: str, port: int
) -> Iterator[RuleResult]:
    own = {listen.address for listen in server.listens}
    for wildcard, (family, loopback) in _FAMILIES.items():
        other = Address(wildcard, port)
        if other in own or not any(Address(w, port) in own for w in _FAMILIES):
            continue
        table = inspection.nginx.router.servers
        if table.bound(Address(loopback, port)) != other:
            continue
        if (actual := table.find(Address(loopback, port), name).server) is not server:
            listen = f"[::]:{port}" if family == "IPv6" else str(port)
            yield note(
                f"Another server answers {name} over {family}.",
                f"{server.place}: has no listen {listen}",
                f"{actual.place}: answers {name} on {other}",
                fix=f"{server.place}: add listen {listen}; then reload nginx.",
            )


def _without_name(
    inspection: HostInspection, server: Server, name: str, port: int
) -> Iterator[RuleResult]:
    default = inspection.nginx.router.servers.default(Address("127.0.0.1", port))
    here = [listen for listen in server.listens if listen.address == Address(ANY_IPV4, port)]
    if any(map(is_address, server.names)) or "return" in server.scope.own:
        return
    if default is not None and here and default is not server:
        yield note(
            f"A request to port {port} by IP address alone does not reach {name}.",
            f"{default.place}: answers every name that no other server has",
            fix=f"curl --resolve {name}:{port}:127.0.0.1 http{'s' * here[0].ssl}://{name}:{port}/",
        )


RULE = Rule(
    id="default-server-capture",
    summary="Another server answers a site's name over IPv4 or IPv6.",
    severity="note",
    help=(
        "Requests whose name no server has are answered by the first server of the "
        "address, with another site's files. Send the right Host, or choose the default "
        "server."
    ),
    reads=("configuration",),
    guide_rows=("DB12", "DB7"),
    yaml_key="listen",
    check=check,
)
