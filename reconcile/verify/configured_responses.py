"""What nginx's configuration answers itself: a password, a maintenance, error pages of its own.

A probe proves that a location works. Where the configuration refuses the request before that
location, on purpose, the probe cannot be asked: it is skipped, and its check gives the place.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from reconcile.config.probes import (
    AlpnProbe,
    CertificateProbe,
    CrawlProbe,
    Endpoint,
    Expectation,
    FilesProbe,
    HttpProbe,
    Probe,
    RateLimitProbe,
    UploadDirectoryProbe,
    UploadProbe,
    WebSocketProbe,
)
from reconcile.errors import ReconcileError
from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.model.listen import Address
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.routing.access import access_rules
from reconcile.nginx.routing.indeterminate import Indeterminate
from reconcile.nginx.routing.request import PathKinds, Request
from reconcile.nginx.routing.route import Route
from reconcile.nginx.routing.router import Router
from reconcile.nginx.routing.servers import ServerTable
from reconcile.nginx.running.discover import discover
from reconcile.nginx.running.worker_view import WorkerView, worker_account

if TYPE_CHECKING:
    from reconcile.system import Host

_ANY_NAME = "reconcile-probe.txt"


def as_configured(probes: Sequence[Probe], host: Host) -> tuple[Probe, ...]:
    """`probes`, expecting what the configuration on the disk makes of their requests.

    Errors: none; where it cannot be read they stay as they are.
    """
    try:
        nginx = discover(host)
        router = Router(nginx.tree, nginx.build.prefix)
        files = WorkerView(host, worker_account(nginx))
        reaching = [_reaching(probe, router.servers) for probe in probes]
        return tuple(one for probe in reaching for one in _for_each_address(probe, router, files))
    except ReconcileError:
        return tuple(probes)


def of_present_servers(probes: Sequence[Probe], host: Host) -> tuple[Probe, ...]:
    """Those whose name a server of the configuration on the disk has.

    Errors: none; where it cannot be read there is none.
    """
    try:
        servers = Router(discover(host).tree).servers
    except ReconcileError:
        return ()
    return tuple(probe for probe in probes if _has_server(probe.endpoint, servers))


def _has_server(endpoint: Endpoint, servers: ServerTable) -> bool:
    address = Address(endpoint.addresses[0], endpoint.port)
    try:
        server = servers.find(address, endpoint.host).server
    except Indeterminate:
        return False
    return server is not servers.default(address) or endpoint.host in server.names


def _reaching(probe: Probe, servers: ServerTable) -> Probe:
    """The probe, with the PROXY header where the address asks for one."""
    endpoint = probe.endpoint
    waiting = tuple(one for one in endpoint.addresses if _waits_for_proxy(endpoint, one, servers))
    return replace(probe, endpoint=replace(endpoint, behind_proxy=waiting))


def _waits_for_proxy(endpoint: Endpoint, address: str, servers: ServerTable) -> bool:
    try:
        return servers.find(Address(address, endpoint.port), endpoint.host).listen.proxy_protocol
    except Indeterminate:
        return False


def _for_each_address(probe: Probe, router: Router, files: PathKinds) -> tuple[Probe, ...]:
    """One probe, or one for each address where the configuration lets only some of them in."""
    endpoint = probe.endpoint
    if not isinstance(probe, HttpProbe | FilesProbe | UploadDirectoryProbe):
        return (_as_configured(probe, router, files),)
    single = [
        _as_configured(
            replace(probe, endpoint=replace(endpoint, addresses=(address,))), router, files
        )
        for address in endpoint.addresses
    ]
    whole = [replace(one, endpoint=endpoint) for one in single]
    return (whole[0],) if whole.count(whole[0]) == len(whole) else tuple(single)


def _as_configured(probe: Probe, router: Router, files: PathKinds) -> Probe:
    if isinstance(probe, AlpnProbe | CertificateProbe):
        return probe
    if isinstance(probe, UploadProbe):
        paths = (probe.path, probe.then_get)
        routes = [_route(probe, path, router, files) for path in paths]
        return replace(probe, refusals=tuple(item for r in routes for item in _refusals(r)))
    if isinstance(probe, CrawlProbe | RateLimitProbe | WebSocketProbe):
        route = _route(probe, probe.path, router, files)
        return replace(probe, refusals=tuple(_refusals(route)))
    if isinstance(probe, HttpProbe):
        route = _route(probe, probe.path, router, files)
        return replace(probe, expect=_expected(probe.expect, route))
    served = _route(probe, probe.prefix + _ANY_NAME, router, files)
    if isinstance(probe, FilesProbe):
        return replace(probe, refusals=tuple(_refusals(served)))
    hidden = _route(probe, f"{probe.prefix}.{_ANY_NAME}", router, files)
    return replace(
        probe, expect=_expected(probe.expect, served), hidden=_expected(probe.hidden, hidden)
    )


def _route(probe: Probe, path: str, router: Router, files: PathKinds) -> Route:
    endpoint = probe.endpoint
    address = endpoint.addresses[0]
    request = Request(
        path,
        endpoint.host,
        Address(address, endpoint.port),
        scheme=endpoint.scheme,
        client=address,
    )
    return router.route(request, files)


def _expected(expect: Expectation, route: Route) -> Expectation:
    refused = replace(expect, refusals=tuple(_refusals(route)))
    for page in _error_pages(route):
        if expect.status & {int(code) for code in page.args[:-1] if code.isdecimal()}:
            return replace(refused, status=_shown(expect.status, page.args), served_by=None)
    return refused


def _shown(expected: frozenset[int], args: tuple[str, ...]) -> frozenset[int]:
    """The statuses that an error page may have; none where its target decides."""
    overwrite = next((arg[1:] for arg in args[:-1] if arg.startswith("=")), None)
    if overwrite == "" or not args[-1].startswith("/"):
        return frozenset()
    return expected | {int(overwrite)} if overwrite else expected


def _error_pages(route: Route) -> Sequence[Directive]:
    level = _levels(route)[0] if route.server else None
    return level.inherited("error_page") if level else ()


def _refusals(route: Route) -> Iterator[tuple[int, str]]:
    """The statuses by which the configuration refuses the request, and where it does.

    What cannot be predicted may be any of them.
    """
    found = dict(_possible(route)) if route.server else {}
    for status, why in found.items():
        if route.answer.status in (status, None) or why.startswith("auth_request"):
            yield status, why


def _possible(route: Route) -> Iterator[tuple[int, str]]:
    if route.server:
        yield from _returned(route.server.scope)
    for level in _levels(route):
        yield from ((code, why) for code, why in _returned(level) if code >= 500)
        for directive in level.inherited("auth_basic"):
            if directive.args[0] != "off":
                yield 401, _where(directive)
        for directive in level.inherited("auth_request"):
            if directive.args[0] != "off":
                yield from ((code, _where(directive)) for code in (401, 403))
        for directive in access_rules(level):
            if directive.name == "deny":
                yield 403, _where(directive)


def _levels(route: Route) -> Sequence[Scope]:
    """The locations that the request went through, or the server that answered it."""
    if route.server is None:
        return ()
    return [hop.scope for hop in route.hops] or [route.server.scope]


def _returned(level: Scope) -> Iterator[tuple[int, str]]:
    for directive in level.rewrites:
        if directive.name == "return":
            code = directive.args[0]
            yield (int(code) if code.isdecimal() else 302), _where(directive)
        elif directive.name == "if":
            yield from _returned(Scope(level.tree, directive, level))


def _where(directive: Directive) -> str:
    return f"{' '.join((directive.name, *directive.args[:1]))} ({directive.place})"
