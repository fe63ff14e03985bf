"""Files that the app has, and that nginx looks for on the disk and does not find."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from posixpath import dirname, join, splitext

from reconcile.doctor.access_log_findings import missed_files
from reconcile.doctor.evidence import directive_text
from reconcile.doctor.front_page_links import linked_files
from reconcile.doctor.http_requests import TIMEOUT_S, reachable_listens, send_request
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.upstream import local_port, socket_path
from reconcile.doctor.upstream_apps import static_folders
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.routing.servers import Server
from reconcile.nginx.routing.uri import escaped
from reconcile.system.http import HttpTarget

_ABSENT = "reconcile-no-such-file"
_MOST = 20
"""Requests that are tried for each server."""


@dataclass(frozen=True)
class LostRequest:
    """A URL path, the location that takes it, and the missing file that it is mapped to."""

    uri: str
    scope: Scope
    path: str


def links_of_front_page(inspection: HostInspection, server: Server) -> list[str]:
    """The files of this server that its start page loads."""
    for listen in reachable_listens(inspection, server)[:1]:
        page = send_request(inspection, server, listen, "/")
        host = inspection.nginx.requests.visitor_host(server, listen)
        return linked_files(page.body, "/", host)[:_MOST] if page.status == 200 else []
    return []


def missing_files_of(inspection: HostInspection, server: Server) -> Iterator[LostRequest]:
    """Requests of visitors, of the start page and for the app's own files that nginx misses."""
    for uri in islice(dict.fromkeys(_candidates(inspection, server)), _MOST):
        route = inspection.nginx.try_route(server, uri)
        path = route.answer.path if route and route.answer.status == 404 else None
        if route and path and route.location and inspection.nginx.disk.kind(path) == "missing":
            yield LostRequest(uri, route.location, path)


def requests_lost_to(inspection: HostInspection, server: Server) -> Iterator[LostRequest]:
    """Those of the missing files that the app behind the server has."""
    target = next(_targets(inspection, server), None)
    for lost in missing_files_of(inspection, server) if target else ():
        if target and _has_file(inspection, target, lost.uri):
            yield lost


def pass_on_edit(inspection: HostInspection, server: Server, scope: Scope) -> str:
    """The edit by which a location passes its requests to the app; "" where there is none."""
    proxies = (one for one in inspection.proxy_locations if one.server == server)
    proxy = next((one for one in proxies if one.directive.name == "proxy_pass"), None)
    if proxy is None:
        return ""
    # A path of proxy_pass replaces the prefix of its own location, and a regex has none.
    scheme, _, rest = proxy.directive.args[0].partition("://")
    target = proxy.directive.args[0] if rest.startswith("unix:") else rest.partition("/")[0]
    whole = target if rest.startswith("unix:") else f"{scheme}://{target}"
    is_inside = any(one.directive == proxy.scope.directive for one in scope.outward())
    headers = [] if is_inside else proxy.scope.own.get("proxy_set_header", [])
    lines = [f"proxy_pass {whole};", *(directive_text(scope.tree, one) for one in headers)]
    return f"{scope.directive.place}: add {' '.join(lines)} then reload nginx."


def _candidates(inspection: HostInspection, server: Server) -> Iterator[str]:
    for at, uri, _ in missed_files(inspection):
        if at == server:
            yield escaped(uri)
    yield from links_of_front_page(inspection, server)
    for app in inspection.apps_behind(server):
        for folder in static_folders(inspection, app):
            found = inspection.inventory(folder)
            files = found.of_kind("file") if found else ()
            by_ending = {splitext(one.path)[1]: one.path for one in files if not one.is_hidden}
            yield from (f"/static/{escaped(name)}" for name in by_ending.values())


def _targets(inspection: HostInspection, server: Server) -> Iterator[HttpTarget]:
    """Where the app answers HTTP on this machine."""
    name = next((one for one in server.names if one), "") or "localhost"
    for proxy in inspection.proxy_locations:
        if proxy.server == server and proxy.directive.name == "proxy_pass":
            for target in proxy.targets:
                if path := socket_path(target):
                    yield HttpTarget(f"unix:{path}", 80, name)
                elif port := local_port(target):
                    yield HttpTarget("127.0.0.1", port, name)


def _has_file(inspection: HostInspection, target: HttpTarget, uri: str) -> bool:
    """Whether the app has this file; many apps answer every path with one page."""
    absent = join(dirname(uri), _ABSENT + splitext(uri)[1])
    is_found = _is_found(inspection, target, uri)
    return is_found and not _is_found(inspection, target, absent)


def _is_found(inspection: HostInspection, target: HttpTarget, uri: str) -> bool:
    return inspection.host.http.request(target, uri, timeout_s=TIMEOUT_S).status == 200
