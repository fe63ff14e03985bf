"""Access-Control-Allow-Origin that browsers do not accept, or that errors do not have."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.http_requests import reachable_listens
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.location_mapping import all_locations
from reconcile.doctor.rule import Rule, RuleResult, error, note, warning
from reconcile.doctor.upstream import ProxyLocation
from reconcile.nginx.model.latin1 import from_raw
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.model.sizes import body_limit
from reconcile.nginx.routing.headers import AddedHeader, added_headers
from reconcile.nginx.routing.servers import Server
from reconcile.system.http import HttpTarget

ALLOW = "access-control-allow-origin"
CREDENTIALS = "access-control-allow-credentials"
_ORIGIN = "https://reconcile.invalid"
_TIMEOUT_S = 2.0


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for headers that no browser accepts, a note for errors without them."""
    for server in inspection.servers:
        for scope in all_locations(server):
            if "add_header" in scope.own and "return" not in scope.own:
                yield from _check_headers(server, scope)
    for proxy in inspection.proxy_locations:
        yield from _sent_twice(inspection, proxy)


def _every_allowing(scope: Scope) -> list[AddedHeader]:
    return [one for one in added_headers(scope) if one.name.lower() == ALLOW]


def _allowing(scope: Scope) -> AddedHeader | None:
    return next(iter(_every_allowing(scope)), None)


def _as_directive(header: AddedHeader) -> str:
    return f"{header.place}: add_header {header.name} {header.value};"


def _check_headers(server: Server, scope: Scope) -> Iterator[RuleResult]:
    every = _every_allowing(scope)
    if not every:
        return
    where = f"{scope} of {server.names[0]}"
    refused = list(_check_origins(where, scope, every))
    yield from refused
    if "$" in every[0].value and not _varies(scope):
        yield note(
            f"Responses of {where} differ by Origin without `Vary: Origin`: caches send one site"
            " the header of another.",
            _as_directive(every[0]),
            fix=f"{every[0].place}: add beside it: add_header Vary Origin always; then reload"
            " nginx.",
        )
    # Which header the fix leaves is not known yet.
    if not refused and not every[0].always:
        yield _without_always(where, scope, every[0])


def _varies(scope: Scope) -> bool:
    return any(
        one.name.lower() == "vary" and "origin" in one.value.lower() for one in added_headers(scope)
    )


def _check_origins(where: str, scope: Scope, every: list[AddedHeader]) -> Iterator[RuleResult]:
    # A variable may be empty, and then adds no header.
    certain = [one for one in every if "$" not in one.value]
    if len(certain) > 1:
        yield error(
            f"{where} sends {len(certain)} {certain[0].name} headers, which browsers refuse.",
            *map(_as_directive, certain),
            fix=f"{certain[1].place}: remove this {certain[1].name}, or choose one origin by a"
            " map of $http_origin in the http block.",
        )
        return
    allowing = every[0]
    evidence = _as_directive(allowing)
    if "," in allowing.value or " " in allowing.value.strip():
        yield error(
            f"{where} allows several origins in one header, which browsers refuse.",
            evidence,
            fix=f"{allowing.place}: choose one by a map of $http_origin in the http block.",
        )
    sent = [one for one in added_headers(scope) if one.name.lower() == CREDENTIALS]
    is_logged_in = any(one.value == "true" for one in sent)
    if allowing.value in ("$http_origin", "${http_origin}") and is_logged_in:
        yield warning(
            f"{where} lets every site read the private data of logged-in visitors.",
            evidence,
            f"{sent[0].place}: add_header {sent[0].name} {sent[0].value};",
            fix=f"{allowing.place}: choose the origins by a map of $http_origin in the http block.",
        )
    if allowing.value == "*" and is_logged_in:
        yield error(
            f"{where} allows credentials to every origin, which browsers refuse.",
            evidence,
            f"{sent[0].place}: add_header {sent[0].name} true;",
            fix=f"{allowing.place}: name the origin in place of *.",
        )


def _without_always(where: str, scope: Scope, allowing: AddedHeader) -> RuleResult:
    limit = body_limit(scope)
    too_large = f"an upload over {limit} bytes (413)" if scope.handler and limit else "a 404"
    return note(
        f"To other sites, errors of {where} look like CORS failures.",
        f"{_as_directive(allowing)} without always: {too_large} has no such header",
        fix=f"{allowing.place}: add_header {allowing.name} {allowing.value} always;",
    )


def _sent_twice(inspection: HostInspection, proxy: ProxyLocation) -> Iterator[RuleResult]:
    """Both nginx and the app send the header: one request shows it."""
    allowing, scope = _allowing(proxy.scope), proxy.scope
    if allowing is None or scope.modifier not in ("", "^~") or inspection.nginx.running is None:
        return
    if any(one.args[0].lower() == ALLOW for one in scope.inherited("proxy_hide_header")):
        return
    for listen in reachable_listens(inspection, proxy.server)[:1]:
        address = listen.address.local
        host = inspection.nginx.requests.visitor_host(proxy.server, listen)
        target = HttpTarget(address.host, address.port, host, listen.ssl, listen.proxy_protocol)
        answer = inspection.host.http.request(
            target, from_raw(scope.name), headers=(("Origin", _ORIGIN),), timeout_s=_TIMEOUT_S
        )
        values = answer.values(ALLOW)
        if len(values) > 1:
            yield error(
                f"{scope} of {host} sends {len(values)} Access-Control-Allow-Origin headers, which"
                " browsers refuse: nginx adds one to the app's.",
                f"GET {from_raw(scope.name)} with Origin: {_ORIGIN}: {', '.join(values)}",
                _as_directive(allowing),
                fix=f"{allowing.place}: add beside it: proxy_hide_header {allowing.name};",
            )


RULE = Rule(
    id="cors",
    summary="Browsers refuse responses because of their Access-Control-Allow-Origin header.",
    severity="error",
    help=(
        "A browser accepts one such header with one origin, or * without credentials. nginx adds it"
        " to errors only with `always`; without that, a 413 or 404 looks like a CORS failure."
    ),
    reads=("configuration", "requests"),
    check=check,
)
