"""Whether a reload can bind every listen address."""

from __future__ import annotations

import errno
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from reconcile.errors import ExitCode, ReconcileError
from reconcile.nginx.model.config_tree import ConfigTree
from reconcile.nginx.model.listen import ANY_IPV4, ANY_IPV6, Address, Listen, listens_of
from reconcile.system.ports import PortHolder, bind_error, holders

BIND_TRIES = 5
BIND_PAUSE_S = 0.1
"""nginx tries as often, at longer intervals: another's `nginx -t` holds an address for a moment.
Source: ngx_open_listening_sockets() of nginx 1.22."""


class PortTaken(ReconcileError):
    """Nginx cannot bind an address of the configuration.

    Predicted or met, it ends an apply with a rollback.
    """

    exit_code = ExitCode.VERIFICATION_FAILED
    rule = "bind-conflict"


@dataclass(frozen=True)
class ListenCheck:
    """`restart_reason` is "" where a reload is enough.

    Nginx opens new sockets before it closes old ones, so it blocks itself when `*:80`
    becomes `127.0.0.1:80`."""

    restart_reason: str = ""


def check_listens(tree: ConfigTree, master_pid: int) -> ListenCheck:
    """Check that nginx (`master_pid`, 0 where none runs) can bind every address of `tree`.

    Errors: PortTaken, which names the process.
    """
    reasons = [
        reason
        for listen in required_sockets(tree)
        if (reason := _restart_reason(listen, master_pid))
    ]
    return ListenCheck(reasons[0] if reasons else "")


def required_sockets(tree: ConfigTree) -> Iterator[Listen]:
    """Yield the sockets that nginx binds: a wildcard covers the other addresses of its port.

    Source: ngx_http_init_listening() of nginx 1.22.
    """
    listens = {listen.address: listen for listen in listens_of(tree)}
    for address, listen in listens.items():
        wildcard = Address(ANY_IPV6 if ":" in address.host else ANY_IPV4, address.port)
        covered = address != wildcard and wildcard in listens
        if not covered and not address.host.startswith("unix:"):
            yield listen


def _restart_reason(listen: Listen, master_pid: int) -> str:
    """Why this listen needs a restart, "" where it does not. Errors: PortTaken."""
    address = listen.address
    for _ in range(BIND_TRIES):
        number = bind_error(address.host, address.port, v6only=listen.ipv6only)
        if number == 0:
            return ""
        if number != errno.EADDRINUSE:
            raise _port_taken(listen, f"the kernel rejects it: {errno.errorcode[number]}")
        there = holders(address.port)
        own = [holder for holder in there if master_pid and holder.pid == master_pid]
        if own:
            break
        time.sleep(BIND_PAUSE_S)
    others = [holder for holder in there if holder not in own]
    if any(_same(holder, address) for holder in own):
        reason = _ipv6only_reason(listen, there)
        if not reason or not others:
            return reason
    if own and not others:
        return f"nginx itself listens on {own[0].host}:{address.port}, which {address} overlaps"
    raise _port_taken(listen, "; ".join(f"{holder} uses it" for holder in others) or "it is in use")


def _ipv6only_reason(listen: Listen, there: Sequence[PortHolder]) -> str:
    """Why nginx has to open the IPv6 wildcard that it has open anew, "" where it need not."""
    if listen.address.host != ANY_IPV6:
        return ""
    takes_ipv4 = not any(":" not in holder.host for holder in there) and bool(
        bind_error(ANY_IPV4, listen.address.port)
    )
    if listen.ipv6only != takes_ipv4:
        return ""
    now, wanted = ("off", "on") if takes_ipv4 else ("on", "off")
    # nginx sets the option when it creates the socket, and a reload keeps the socket.
    return f"nginx has {listen.address} open with ipv6only={now}, not {wanted}"


def _same(holder: PortHolder, address: Address) -> bool:
    return (holder.host, holder.port) == (address.host, address.port)


def _port_taken(listen: Listen, why: str) -> PortTaken:
    asked_at = f" ({listen.place})" if listen.place else ""
    return PortTaken(
        what=f"nginx cannot listen on {listen.address}{asked_at}",
        why=why,
        fix="Stop the process that uses the port, or choose another port. Nothing was changed.",
    )
