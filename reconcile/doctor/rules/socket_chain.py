"""The way from nginx to the app: the socket, who listens there, and who may open it."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from reconcile.doctor.evidence import grant_command, namei
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error
from reconcile.doctor.upstream import ProxyLocation, local_port, socket_path
from reconcile.system.sockets import is_socket


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    for proxy in inspection.proxy_locations:
        for target in proxy.targets:
            if path := socket_path(target):
                yield from _unix(inspection, proxy, path)
            elif local_port(target) and not inspection.accepts_connections(target):
                yield _nobody(proxy, target, f"nobody listens on {target} (111)")


def _unix(inspection: HostInspection, proxy: ProxyLocation, path: str) -> Iterator[RuleResult]:
    if inspection.host.files.stat(path) is None:
        yield _nobody(proxy, path, f"there is no {path} (2)")
    elif not is_socket(path):
        yield _nobody(proxy, path, f"{path} is no socket")
    elif not inspection.accepts_connections(f"unix:{path}"):
        yield _nobody(proxy, path, f"{path} was left behind: nobody listens (111)")
    else:
        yield from _closed(inspection, proxy, path)


def _nobody(proxy: ProxyLocation, target: str, why: str) -> RuleResult:
    return error(
        f"{proxy.server.names[0] or proxy.server.place} answers 502: {why}.",
        proxy.evidence,
        fix=f"Start the app so that it listens on {target}. A Gunicorn that is not root cannot make"
        " a socket in /run itself: use RuntimeDirectory= or a .socket unit.",
    )


def _closed(inspection: HostInspection, proxy: ProxyLocation, path: str) -> Iterator[RuleResult]:
    """connect(2) needs write on the socket and x on every directory above it."""
    walk, who = inspection.access(path, inspection.worker), inspection.worker
    last = walk.last
    if last is None or (walk.blocked is None and last.writable):
        return
    step = walk.blocked or last
    accounts = inspection.host.accounts
    yield error(
        f"nginx ({who.name}) may not open the socket {path} (13): answers 502.",
        proxy.evidence,
        *namei(walk, accounts),
        fix=f"chgrp {who.name} {quote(path)} && chmod g+rw {quote(path)}"
        f"  # for good: SocketGroup={who.name} and SocketMode=0660 in its .socket unit"
        if step is last
        else grant_command(step, who, accounts, "x"),
    )


RULE = Rule("socket-chain", (), check)
