"""The app behind a hand-written server: its upstream, service and user."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from ipaddress import ip_address
from typing import Any

from reconcile.adopt.draft import Draft
from reconcile.adopt.host_readings import FoundApp, Inspector
from reconcile.adopt.proxy_keys import TIMEOUTS, group_servers, passes_websockets, read_timeout
from reconcile.config.document import Loc
from reconcile.config.owner import BUILT_IN_OWNERS
from reconcile.doctor.request_builder import RequestBuilder
from reconcile.doctor.upstream import ProxyLocation, proxy_locations
from reconcile.errors import ReconcileError
from reconcile.nginx.model.config_tree import ConfigTree, Directive
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.routing.indeterminate import Indeterminate
from reconcile.nginx.routing.request import FileKind, LinkRule, Request
from reconcile.nginx.routing.router import Router
from reconcile.nginx.routing.servers import Server

_AUTH_STATUSES = (401, 403)
_NO_FILE = "/reconcile-no-such-file"
_WITH_PATH = re.compile(r"https?://(?:unix:[^:]+:/.+|(?!unix:)[^/]+/.+)$")
_CLIENT = re.compile(r"\([$]remote_addr !?= (\S+)\)")
_COVERED = re.compile(
    r"proxy_pass |proxy_http_version 1.1$|expires off$|include (\S*/)?proxy_params$"
    r"|proxy_set_header (Host|X-Real-IP|X-Forwarded-(For|Proto|Host)|Connection|Upgrade) "
    r"|proxy_redirect off$",
    re.IGNORECASE,
)


class NoFiles:
    """A filesystem without files: nginx passes every request that it can to the app."""

    def kind(self, path: str) -> FileKind:  # noqa: ARG002
        """Return "missing" for any path."""
        return "missing"

    def link_refusal(self, path: str, rule: LinkRule, start: int) -> None:
        """None: no path is a link."""


@dataclass(frozen=True)
class UpstreamLocation:
    """The location that proxies requests without a file, and its target.

    `hops` are the locations that lead to it, itself included.
    """

    proxy: ProxyLocation
    hops: tuple[Scope, ...]

    @property
    def directives(self) -> tuple[Directive, ...]:
        """The blocks of these locations."""
        return tuple(hop.directive for hop in self.hops)

    @property
    def body_limit(self) -> Directive | None:
        """The client_max_body_size of the location that a request enters; no later one counts."""
        entered = self.hops[0]
        is_own = entered.directive.name != "server" and "client_max_body_size" in entered.own
        return entered.own["client_max_body_size"][-1] if is_own else None

    @property
    def target(self) -> str:
        """The address of the upstream."""
        return self.proxy.targets[0]


class RequestFactory:
    """Builds requests that only one server answers."""

    def __init__(self, router: Router) -> None:
        self._builder = RequestBuilder(router.servers)

    def build(self, server: Server, uri: str) -> Request | None:
        """Build a request for `server`; None where none can reach it."""
        try:
            return self._builder.request(server, uri)
        except Indeterminate:
            return None


def find_upstream(
    server: Server, router: Router, tree: ConfigTree, requests: RequestFactory
) -> UpstreamLocation | None:
    """Find the location that proxies requests without a file; None where there is none."""
    handler, hops = _handler(server, router, requests)
    if handler is None:
        return None
    for proxy in proxy_locations([server], tree):
        if (proxy.directive.file, proxy.directive.start) == (handler.file, handler.start):
            return UpstreamLocation(proxy, hops)
    return None


def _handler(
    server: Server, router: Router, requests: RequestFactory
) -> tuple[Directive | None, tuple[Scope, ...]]:
    request = requests.build(server, _NO_FILE)
    if request is None:
        return None, ()
    # A server that is closed for maintenance is open to those who work on it.
    for client in (request.client, *_named_clients(server)):
        route = router.route(replace(request, client=client), NoFiles())
        # A request without a password or from a denied address is still meant for the app.
        belongs_to_app = route.answer.kind == "pass" or route.answer.status in _AUTH_STATUSES
        if belongs_to_app and route.scope is not None:
            return route.scope.handler, tuple(hop.scope for hop in route.hops)
    return None, ()


def _named_clients(server: Server) -> Iterator[str]:
    """The addresses that conditions of the server ask for."""
    for condition in server.scope.own.get("if", ()):
        if named := _CLIENT.fullmatch(" ".join(condition.args)):
            with suppress(ValueError):
                yield str(ip_address(named[1]))


def adopt_app(
    found: UpstreamLocation,
    server: Server,
    draft: Draft,
    site: str,
    inspector: Inspector,
    *,
    is_managed: bool,
) -> bool:
    """Add the app to the draft; False, with a note, where the YAML cannot express it."""
    at: Loc = ("sites", site)
    written, place = found.proxy.directive.args[0], found.proxy.place
    why = _why_unsupported(found, written)
    if why:
        fix = "The upstream remains in the adopted file."
        draft.add_note(place, f"the app is left out: {why}", fix, at=at)
        return False
    target = found.target
    upstream = target if target.startswith("unix:") else f"http://{target}"
    servers = group_servers(found.proxy)
    app: dict[str, Any] = {"upstream": servers if len(servers) > 1 else upstream}
    if not is_managed:
        app |= _keys_of(found.proxy.scope)
    draft.sites[site]["app"] = app
    here = (*at, "app")
    if not is_managed:
        _note_rest(found, TIMEOUTS if "timeout" in app else (), draft, here)
    if len(servers) < 2 and target.removeprefix("unix:").removesuffix(":80") not in written:
        draft.add_comment(here, f"`{written}` is an upstream group with one server, {target}.")
    try:
        service = inspector.app(server, target)
    except (ReconcileError, OSError) as trouble:
        draft.add_error(place, f"could not determine what runs at {target}: {trouble}", at=here)
        return True
    _add_service(app, service, target, place, draft, here)
    return True


def _note_rest(found: UpstreamLocation, covered: Collection[str], draft: Draft, here: Loc) -> None:
    """Note the directives on the way to the app that no key of the YAML replaces."""
    proxy, limit = found.proxy, found.body_limit
    for scope in {id(one): one for one in (*found.hops, proxy.scope)}.values():
        if scope.directive.name != "server":
            rest = [one for one in scope.directives if one is not limit and one.name not in covered]
            draft.note_directives(rest, _COVERED, "the app's location", proxy.place, here)


def _keys_of(scope: Scope) -> dict[str, Any]:
    """The keys of the app that its location sets."""
    timeout = read_timeout(scope)
    websocket = {"websocket": True} if passes_websockets(scope) else {}
    return websocket | ({"timeout": timeout} if timeout else {})


def _why_unsupported(found: UpstreamLocation, written: str) -> str:
    if found.proxy.directive.name != "proxy_pass":
        return f"{found.proxy.directive.name} is not HTTP"
    if not found.proxy.targets:
        return f"{written} depends on a variable"
    if len(found.proxy.targets) > 1 and not group_servers(found.proxy):
        return f"{written} has {len(found.proxy.targets)} servers"
    if written.startswith("https://"):
        return f"{written} is an HTTPS upstream"
    return f"{written} maps to a path of the app" if _WITH_PATH.match(written) else ""


def _add_service(
    app: dict[str, Any], found: FoundApp, target: str, place: str, draft: Draft, at: Loc
) -> None:
    if found.problem:
        draft.add_error(place, found.problem, at=at)
    if found.service:
        app["service"] = found.service
    elif not found.problem:
        fix = "If this host runs it, set `service`."
        draft.add_note(place, f"no systemd unit was found for {target}", fix, at=at)
    if found.user:
        app["user"] = found.user
    if found.gunicorn:
        app["gunicorn"] = asdict(found.gunicorn)


def drop_default_user(site: dict[str, Any], draft: Draft, at: Loc) -> None:
    """Drop the app's user where it is the default, or where it cannot write the media folders."""
    app = site.get("app", {})
    user = app.get("user")
    if user in (None, "root"):
        return
    owners = list(_owners(site.get("locations", {})))
    denied = [
        f"{prefix} ({owner})" for prefix, owner, open_ in owners if not (user == owner or open_)
    ]
    if denied:
        what = f"the app runs as {user}, which cannot write to {', '.join(denied)}"
        draft.add_note("", what, "See `reconcile doctor`.", at=(*at, "app"))
        del app["user"]
    elif user == (owners[0][1] if owners else BUILT_IN_OWNERS["uploads"].user):
        del app["user"]


def _owners(locations: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Yield prefix, owner, and whether others may write, of each media folder."""
    for prefix, location in locations.items():
        if location["role"] == "media":
            owner = location.get("owner", "uploads")
            named = BUILT_IN_OWNERS[owner] if isinstance(owner, str) else None
            user = named.user if named else owner["user"]
            dirs = 0 if named else int(owner["dirs"], 8)
            yield prefix, str(user), bool(dirs & 0o022)
