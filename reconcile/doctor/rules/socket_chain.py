"""nginx cannot connect to the app: no socket, nothing listens, or access is denied."""

from __future__ import annotations

from collections.abc import Iterator
from shlex import quote

from reconcile.doctor.evidence import namei
from reconcile.doctor.http_requests import TIMEOUT_S
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, caused, error, warning
from reconcile.doctor.upstream import ProxyLocation, local_port, socket_path
from reconcile.doctor.upstream_apps import accepts_connections
from reconcile.filesystem.grant import grant_commands
from reconcile.system.http import HttpTarget
from reconcile.system.sockets import is_socket


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for each upstream of this machine that nginx cannot connect to."""
    for proxy in inspection.proxy_locations:
        for target in proxy.targets:
            if path := socket_path(target):
                yield from _check_socket(inspection, proxy, path)
            elif local_port(target) and not accepts_connections(target):
                yield _unreachable(proxy, target, f"nothing listens on {target} (111)")
            elif local_port(target):
                yield from _check_scheme(inspection, proxy, target)


def _check_socket(
    inspection: HostInspection, proxy: ProxyLocation, path: str
) -> Iterator[RuleResult]:
    if inspection.host.files.stat(path) is None:
        yield _unreachable(proxy, path, f"{path} does not exist (2)")
    elif not is_socket(path):
        yield _unreachable(proxy, path, f"{path} is not a socket")
    elif not accepts_connections(f"unix:{path}"):
        yield _unreachable(proxy, path, f"nothing listens on {path}; it is stale (111)")
    else:
        yield from _denied(inspection, proxy, path)


def _check_scheme(
    inspection: HostInspection, proxy: ProxyLocation, target: str
) -> Iterator[RuleResult]:
    """An app that speaks plain HTTP where nginx expects TLS."""
    if not proxy.directive.args[0].startswith("https://"):
        return
    http, port = inspection.host.http, local_port(target)
    by_tls, plain = (
        http.request(HttpTarget("127.0.0.1", port, "localhost", tls), "/", timeout_s=TIMEOUT_S)
        for tls in (True, False)
    )
    # A port of TLS answers plain HTTP with 400 at most.
    if by_tls.error and not plain.error and plain.status != 400:
        rest = proxy.directive.args[0].removeprefix("https://")
        yield error(
            f"{proxy.server.names[0] or proxy.server.place} returns 502: {target} speaks plain"
            " HTTP, and proxy_pass expects TLS.",
            proxy.evidence,
            fix=f"{proxy.place}: proxy_pass http://{rest}; then reload nginx.",
        )


def _has_another(proxy: ProxyLocation, target: str) -> bool:
    """Whether nginx can turn to another server of the group."""
    others = [one for one in proxy.targets if one != target]
    return any(not _is_local(one) or accepts_connections(one) for one in others)


def _is_local(target: str) -> bool:
    return bool(socket_path(target) or local_port(target))


def _unreachable(proxy: ProxyLocation, target: str, reason: str) -> RuleResult:
    name = proxy.server.names[0] or proxy.server.place
    is_partial = _has_another(proxy, target)
    found = (warning if is_partial else error)(
        f"{name} has lost one of {len(proxy.targets)} servers: {reason}."
        if is_partial
        else f"{name} returns 502: {reason}.",
        proxy.evidence,
        fix=_how_to_start(proxy, target),
    )
    return caused(found, f"upstream {target}")


def _how_to_start(proxy: ProxyLocation, target: str) -> str:
    if proxy.directive.name == "fastcgi_pass":
        return (
            f"Start what answers FastCGI on {target}: systemctl list-units --all '*php*-fpm*' shows"
            " PHP's, and `listen =` of its pool has to name the same place."
        )
    return (
        f"Start the app so that it listens on {target}. Without root, Gunicorn cannot create a"
        " socket in /run: use RuntimeDirectory= or a .socket unit."
    )


def _denied(inspection: HostInspection, proxy: ProxyLocation, path: str) -> Iterator[RuleResult]:
    """connect(2) needs write on the socket and x on every directory above it."""
    worker, accounts = inspection.nginx.worker, inspection.host.accounts
    walk = inspection.access(path, worker)
    last = walk.last
    if last is None or (walk.blocked is None and last.writable):
        return
    step = walk.blocked or last
    found = error(
        f"nginx ({worker.name}) is denied access to the socket {path} (13): returns 502.",
        proxy.evidence,
        *namei(walk, accounts),
        fix=f"chgrp {worker.name} {quote(path)} && chmod g+rw {quote(path)}"
        f"  # permanently: SocketGroup={worker.name} and SocketMode=0660 in its .socket unit"
        if step is last
        else grant_commands(walk.denied, worker),
    )
    yield caused(found, f"closed {step.path}")


RULE = Rule(
    id="socket-chain",
    summary="nginx cannot connect to the app.",
    severity="error",
    help=(
        "Every request to the app returns 502. The app has to listen where nginx "
        "connects, and the socket has to allow nginx."
    ),
    reads=("configuration", "files", "processes", "requests"),
    check=check,
)
