"""The configuration has an address on which the running nginx does not listen."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Inconclusive, Rule, RuleResult, error
from reconcile.nginx.model.listen import ANY_IPV4, ANY_IPV6, Listen
from reconcile.nginx.running.listen_check import PortTaken, check_listens, required_sockets
from reconcile.nginx.running.loaded_config import RunningNginx
from reconcile.system.ports import PortHolder, holders
from reconcile.wording import first_few


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each address without a socket of nginx."""
    running = inspection.nginx.running
    if running is None:
        return
    if not _has_our_network(running.master_pid):
        yield Inconclusive("the addresses of nginx", "it has a network namespace of its own")
        return
    for listen in required_sockets(inspection.nginx.tree):
        names = [
            server.names[0]
            for server in inspection.servers
            if any(one.address == listen.address for one in server.listens)
        ]
        if names and not _is_open(listen, running):
            yield _closed(inspection, listen, names)


def _has_our_network(pid: int) -> bool:
    with suppress(OSError):
        own, its = (os.stat(f"/proc/{one}/ns/net").st_ino for one in ("self", pid))
        return own == its
    return True


def _is_open(listen: Listen, running: RunningNginx) -> bool:
    address = listen.address
    pids = {running.master_pid, *(worker.pid for worker in running.workers)}
    own = [one for one in holders(address.port) if one.pid in pids or not one.pid]
    return any(_takes_connections(one, address.host) for one in own)


def _takes_connections(holder: PortHolder, host: str) -> bool:
    """Whether a socket takes connections to `host`; the IPv6 wildcard may take IPv4 too."""
    wildcards = (ANY_IPV6,) if ":" in host else (ANY_IPV4, ANY_IPV6)
    return holder.host == host or holder.host in wildcards


def _closed(inspection: HostInspection, listen: Listen, names: list[str]) -> RuleResult:
    refused = [
        str(line)
        for line in inspection.nginx.error_lines[-50:]
        if "bind() to" in line.message or "still could not bind" in line.message
    ]
    return error(
        f"nginx does not listen on {listen.address}: {first_few(names)} cannot be reached there.",
        f"{listen.place}: listen {listen.address}",
        "no socket of the running nginx has that address: a reload failed, or was never done",
        *refused[-1:],
        fix=_fix(inspection),
    )


def _fix(inspection: HostInspection) -> str:
    running = inspection.nginx.running
    with suppress(PortTaken):
        result = check_listens(inspection.nginx.tree, running.master_pid if running else 0)
        if result.restart_reason:
            return "nginx -t && systemctl restart nginx"
        return "nginx -t && systemctl reload nginx"
    return "Stop the process that holds the port (see the rule bind-conflict), then reload nginx."


RULE = Rule(
    id="unheard-listener",
    summary="nginx does not listen on an address of its configuration.",
    severity="error",
    help=(
        "A reload that cannot bind an address keeps the old sockets, and reports it only in the"
        " error log. Visitors over that address, often IPv6, get nothing."
    ),
    reads=("configuration", "logs", "processes"),
    check=check,
)
