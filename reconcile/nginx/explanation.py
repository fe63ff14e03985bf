"""Explain an answer: server, location, file, headers, and who may read the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from posixpath import basename, dirname, join
from typing import TYPE_CHECKING

from reconcile.filesystem.access_walk import is_hidden_from
from reconcile.filesystem.acl import GROUP, MASK, USER, rwx
from reconcile.filesystem.grant import grant_commands
from reconcile.nginx.model.latin1 import to_raw
from reconcile.nginx.model.listen import Address
from reconcile.nginx.near_names import MOST, NearName, near_names
from reconcile.nginx.routing import pcre
from reconcile.nginx.routing.describe import describe
from reconcile.nginx.routing.headers import SentHeader, content_type, sent_headers
from reconcile.nginx.routing.indeterminate import Indeterminate
from reconcile.nginx.routing.request import Request
from reconcile.nginx.routing.route import Hop, Route
from reconcile.nginx.routing.router import Router
from reconcile.nginx.routing.servers import Server, hostname
from reconcile.nginx.routing.unreachable import Unreachable, unreachable
from reconcile.nginx.routing.upstream_request import PassedHeader, passed_headers
from reconcile.nginx.running.worker_view import WorkerView, worker_account

if TYPE_CHECKING:
    from reconcile.filesystem.access_walk import AccessStep
    from reconcile.nginx.model.scope import Scope
    from reconcile.nginx.running.discover import NginxInstallation
    from reconcile.system.accounts import Account

_MOST_NAMES = 10_000
"""Names of a folder that are compared with the missing one."""
_HAS_TYPE = ("file", "return")


@dataclass(frozen=True)
class Candidate:
    """A server or location that could have answered, and why it does not."""

    what: str
    place: str
    why: str


@dataclass(frozen=True)
class LocationChoice:
    """A location that matched during routing, and the candidates that did not."""

    path: str
    what: str
    place: str
    why: str
    candidates: tuple[Candidate, ...]


@dataclass(frozen=True)
class Component:
    """One component of a file's path; `allowed`: the worker may pass it, or read the file."""

    path: str
    kind: str
    owner: str
    group: str
    mode: int
    acl: tuple[str, ...]
    allowed: bool


@dataclass(frozen=True)
class Explanation:
    """Everything that decided one request; `path` ends at the first missing component.

    `fix` is the smallest command that grants the worker access, "" where it has access.
    `other_addresses` maps the port's other addresses to their answers, where they differ;
    `if_admitted` is the answer for a client with the PROXY header or certificate that this one
    lacks, "" where it is the same. `hidden` is the unit whose sandbox hides the missing file from
    nginx.
    """

    request: Request
    route: Route
    answer: str
    server_candidates: tuple[Candidate, ...]
    choices: tuple[LocationChoice, ...]
    mapped_by: Candidate | None
    worker: Account
    path: tuple[Component, ...]
    headers: tuple[SentHeader, ...]
    fix: str
    other_addresses: tuple[tuple[str, str], ...]
    if_admitted: str = ""
    passed_headers: tuple[PassedHeader, ...] = ()
    near: tuple[NearName, ...] = ()
    unreachable: tuple[Unreachable, ...] = ()
    hidden: str = ""

    @property
    def blocked(self) -> Component | None:
        """The first component that denies the worker, None where none does."""
        return next((component for component in self.path if not component.allowed), None)


def explain(nginx: NginxInstallation, request: Request) -> Explanation:
    """Trace `request` through the configuration on the disk.

    Errors: ReconcileError where the configuration or the worker's user cannot be read.
    """
    worker = worker_account(nginx)
    disk = WorkerView(nginx.host, worker)
    router = Router(nginx.tree, nginx.build.prefix)
    route = router.route(request, disk)
    steps = list(_path_steps(nginx, route, worker))
    answer = describe(route)
    others = _at_other_addresses(router, request)
    answers = ((str(other.address), describe(router.route(other, disk))) for other in others)
    admitted = describe(router.route(replace(request, is_stranger=False), disk))
    missing = _missing_path(route)
    return Explanation(
        request=request,
        route=route,
        answer=answer,
        server_candidates=tuple(_server_candidates(router, route)),
        choices=tuple(_location_choice(route, hop) for hop in route.hops),
        mapped_by=_mapped_by(route),
        worker=worker,
        path=tuple(_component(nginx, step, allowed) for step, allowed in steps),
        headers=tuple(_headers(route)),
        fix=grant_commands([step for step, allowed in steps if not allowed], worker),
        other_addresses=tuple((address, other) for address, other in answers if other != answer),
        if_admitted=admitted if admitted != answer else "",
        passed_headers=passed_headers(route),
        near=tuple(_near(nginx, missing, worker)) if missing else (),
        unreachable=tuple(unreachable(route.server.scope)) if route.server else (),
        hidden=worker.unit if missing and is_hidden_from(worker, missing) else "",
    )


def with_listening_address(nginx: NginxInstallation, request: Request) -> Request:
    """Return `request` at an address of its port where a server listens, loopback first."""
    router = Router(nginx.tree, nginx.build.prefix)
    if router.servers.bound(request.address):
        return request
    return next(_at_other_addresses(router, request), request)


def _at_other_addresses(router: Router, request: Request) -> Iterator[Request]:
    for address in router.servers.addresses:
        if address.port == request.address.port and address != router.servers.bound(
            request.address
        ):
            yield replace(request, address=address.local, client=address.local.host)


def _missing_path(route: Route) -> str | None:
    """The file that a missing answer is about; of try_files the first that it asked for."""
    if route.answer.reason == "missing" and route.answer.path:
        return route.answer.path
    missing = (one.path for one in route.tried if one.kind == "missing")
    is_found = any(one.kind not in ("missing", "denied") for one in route.tried)
    return None if is_found else next(missing, None)


def _near(nginx: NginxInstallation, missing: str, worker: Account) -> Iterator[NearName]:
    """Similar names in the deepest folder of the path that exists."""
    files, [name, folder] = nginx.host.files, [missing, missing]
    while folder != "/":
        folder, name = dirname(folder.rstrip("/")), basename(folder.rstrip("/"))
        walk = files.access(folder, worker)
        if walk.last and walk.last.stat.kind == "directory":
            names = files.names_for(walk.last.path, worker, _MOST_NAMES)
            found = [NearName(join(folder, n), why) for n, why in near_names(names, name)]
            yield from found[:MOST]
            return


def _server_candidates(router: Router, route: Route) -> Iterator[Candidate]:
    """Yield the other servers with the requested name, and the default server."""
    default = router.servers.default(route.request.address)
    bound = router.servers.bound(route.request.address)
    name = hostname(route.request.host)
    for server in router.servers.servers:
        if route.server is not None and server.scope.directive is route.server.scope.directive:
            continue
        if name in [known.lower() for known in server.names]:
            yield _server_candidate(server, _why_not_named(server, bound))
        elif server is default:
            yield _server_candidate(
                server, "the default server of this address, for names that no server has"
            )


def _why_not_named(server: Server, bound: Address | None) -> str:
    if any(listen.address == bound for listen in server.listens):
        return "has the same name, but nginx read the other one first and ignores this one"
    listens = ", ".join(str(listen.address) for listen in server.listens)
    return f"has the name, but does not listen on {bound or 'this port'} (only on {listens})"


def _server_candidate(server: Server, why: str) -> Candidate:
    return Candidate(f"server {' '.join(filter(None, server.names))}".strip(), server.place, why)


def _location_choice(route: Route, hop: Hop) -> LocationChoice:
    rivals = tuple(_location_candidates(route, hop))
    return LocationChoice(hop.path, str(hop.scope), hop.place, hop.why, rivals)


def _location_candidates(route: Route, hop: Hop) -> Iterator[Candidate]:
    """The server's other locations that match the path."""
    if route.server is None or hop.scope.modifier == "@":
        return
    chosen = set(map(id, hop.scope.outward()))
    for location in route.server.scope.locations:
        if id(location) not in chosen and _matches_path(location, to_raw(hop.path)):
            yield Candidate(str(location), location.directive.place, _why_not(location, hop))


def _matches_path(location: Scope, path: str) -> bool:
    if location.modifier == "@":
        return False
    if location.modifier == "=":
        return location.name == path
    if not location.is_regex:
        return path.startswith(location.name)
    pattern = pcre.compiled(location.name, caseless=location.modifier == "~*")
    try:
        return pattern is not None and pattern.search(path) is not None
    except Indeterminate:
        return False


def _why_not(location: Scope, hop: Hop) -> str:
    winner = _outermost(hop.scope)
    if winner.modifier == "=":
        return "an exact match takes precedence"
    if location.is_regex:
        if winner.is_regex:
            return "a later regex; the first match wins"
        return "a regex; ^~ skips regexes"
    if winner.is_regex:
        return "a prefix; a matching regex takes precedence"
    return "a shorter prefix"


def _outermost(scope: Scope) -> Scope:
    """The location directly in the server around `scope`."""
    around = [level for level in scope.outward() if level.directive.name == "location"]
    return around[-1] if around else scope


def _mapped_by(route: Route) -> Candidate | None:
    """The alias or root that mapped the URI to the path."""
    level = route.scope.nearest("root", "alias") if route.scope and route.answer.path else None
    if level is None:
        return None
    directive = (level.own.get("alias") or level.own["root"])[0]
    return Candidate(" ".join((directive.name, *directive.args)), directive.place, "")


def _path_steps(
    nginx: NginxInstallation, route: Route, worker: Account
) -> Iterator[tuple[AccessStep, bool]]:
    """Each component of the file's path once, and whether the worker may pass or read it."""
    if route.answer.path is None:
        return
    walk = nginx.host.files.access(route.answer.path, worker)
    shown: set[str] = set()
    for step in walk.steps:
        if step.path not in shown:
            shown.add(step.path)
            is_file = step.stat.kind not in ("directory", "symlink")
            yield step, step.readable if is_file else step.passable


def _component(nginx: NginxInstallation, step: AccessStep, allowed: bool) -> Component:
    accounts, found = nginx.host.accounts, step.stat
    return Component(
        step.path,
        found.kind,
        accounts.user_name(found.uid),
        accounts.group_name(found.gid),
        found.mode,
        tuple(_acl(nginx, step)),
        allowed,
    )


def _acl(nginx: NginxInstallation, step: AccessStep) -> Iterator[str]:
    """Yield the named entries of an ACL and its mask, as getfacl prints them."""
    accounts = nginx.host.accounts
    for line in step.acl:
        bits = rwx(line.permissions)
        if line.tag == USER:
            yield f"user:{accounts.user_name(line.id)}:{bits}"
        elif line.tag == GROUP:
            yield f"group:{accounts.group_name(line.id)}:{bits}"
        elif line.tag == MASK:
            yield f"mask::{bits}"


def _headers(route: Route) -> Iterator[SentHeader]:
    scope, answer = route.scope, route.answer
    if scope is None:
        return
    if answer.kind in _HAS_TYPE and answer.status != 204:
        yield SentHeader("Content-Type", content_type(scope, route.path), "")
    if answer.kind == "redirect":
        yield SentHeader("Location", _location(route, scope), "")
    yield from sent_headers(route)


def _location(route: Route, scope: Scope) -> str:
    """The Location header as the client receives it."""
    target, request = route.answer.target or "", route.request
    if not target.startswith("/") or scope.argument("absolute_redirect", "on") == "off":
        return target
    usual = {"http": 80, "https": 443}[request.scheme]
    hides_port = scope.argument("port_in_redirect", "on") == "off"
    port = request.address.port
    shown = "" if port == usual or hides_port else f":{port}"
    return f"{request.scheme}://{hostname(request.host) or request.address.host}{shown}{target}"
