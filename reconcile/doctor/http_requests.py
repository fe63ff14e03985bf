"""Requests as visitors make them, sent to this machine itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconcile.doctor.request_builder import local_address
from reconcile.nginx.model.listen import Listen
from reconcile.nginx.routing.servers import Server
from reconcile.system.http import HttpAnswer, HttpTarget

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection

TIMEOUT_S = 2.0


def tcp_listens(server: Server) -> tuple[Listen, ...]:
    """The listens of a server that can be asked over TCP, plain ones first."""
    tcp = (listen for listen in server.listens if not listen.address.host.startswith("unix:"))
    return tuple(sorted(tcp, key=lambda listen: listen.ssl))


def reachable_listens(inspection: HostInspection, server: Server) -> tuple[Listen, ...]:
    """Those of its addresses where a request can be made that is meant for this server."""
    return tuple(on for on in tcp_listens(server) if inspection.requests.visitor_host(server, on))


def send_request(
    inspection: HostInspection,
    server: Server,
    listen: Listen,
    path: str,
    *,
    host: str = "",
    timeout_s: float = TIMEOUT_S,
) -> HttpAnswer:
    """One request to `server` on one of its addresses, for `host` where one is given."""
    address = local_address(listen)
    name = host or inspection.requests.visitor_host(server, listen) or "localhost"
    target = HttpTarget(address.host, address.port, name, listen.ssl)
    return inspection.host.http.request(target, path, timeout_s=timeout_s)
