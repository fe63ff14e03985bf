"""Send requests as visitors do, to this machine itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconcile.nginx.model.listen import Listen
from reconcile.nginx.routing.servers import Server
from reconcile.system.http import HttpAnswer, HttpTarget

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection

TIMEOUT_S = 2.0


def tcp_listens(server: Server) -> tuple[Listen, ...]:
    """The TCP addresses that a server listens on, those without TLS first."""
    tcp = (listen for listen in server.listens if not listen.address.host.startswith("unix:"))
    return tuple(sorted(tcp, key=lambda listen: listen.ssl))


def reachable_listens(inspection: HostInspection, server: Server) -> tuple[Listen, ...]:
    """The addresses on which a request can name this server."""
    return tuple(
        on for on in tcp_listens(server) if inspection.nginx.requests.visitor_host(server, on)
    )


def send_request(
    inspection: HostInspection,
    server: Server,
    listen: Listen,
    path: str,
    *,
    host: str = "",
    timeout_s: float = TIMEOUT_S,
) -> HttpAnswer:
    """One GET to `server` on one of its addresses, with `host` as Host if given.

    Errors: none; a server that does not answer is an answer with an `error`.
    """
    address = listen.address.local
    name = host or inspection.nginx.requests.visitor_host(server, listen) or "localhost"
    target = HttpTarget(address.host, address.port, name, listen.ssl, listen.proxy_protocol)
    return inspection.host.http.request(target, path, timeout_s=timeout_s)
