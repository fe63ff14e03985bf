"""The app behind a hand-written server: where it listens, what runs it, and as whom."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from reconcile.adopt.discovery import Around, FoundApp
from reconcile.adopt.draft import Draft
from reconcile.config.document import Loc
from reconcile.config.models.owners import BUILT_IN as BUILT_IN_OWNERS
from reconcile.config.owner import BUILT_IN_OWNERS
from reconcile.doctor.request_builder import RequestBuilder
from reconcile.doctor.upstream import ProxyLocation, proxy_locations
from reconcile.errors import ReconcileError
from reconcile.nginx.model.tree import ConfigTree, Directive
from reconcile.nginx.routing.location_match import Indeterminate
from reconcile.nginx.routing.request import FileKind, Request
from reconcile.nginx.routing.router import Router
from reconcile.nginx.routing.servers import Server

_AT_THE_DOOR = (401, 403)
_NO_FILE = "/reconcile-no-such-file"
_WITH_PATH = re.compile(r"https?://(?:unix:[^:]+:/.+|(?!unix:)[^/]+/.+)$")
_SAID = re.compile(
    r"proxy_pass |proxy_http_version 1.1$|expires off$|include (\S*/)?proxy_params$"
    r"|proxy_set_header (Host|X-Real-IP|X-Forwarded-(For|Proto|Host)|Connection) "
    r"|proxy_redirect off$"
    r"|try_files \$uri( \$uri/)? @",
    re.IGNORECASE,
)


class NoFiles:
    """A disk on which nothing is: what is still answered, the app answers."""

    def kind(self, path: str) -> FileKind:  # noqa: ARG002
        return "missing"


@dataclass(frozen=True)
class Behind:
    """The location that passes on what is no file, and its one target."""

    passed: ProxyLocation
    said: tuple[Directive, ...]

    @property
    def target(self) -> str:
        return self.passed.targets[0]


class Requests:
    """Makes requests that reach one server and no other."""

    def __init__(self, router: Router) -> None:
        self._visitors = RequestBuilder(router.servers)

    def to(self, server: Server, uri: str) -> Request | None:
        """None where no visitor reaches it, or nobody can tell how."""
        try:
            return self._visitors.request(server, uri)
        except Indeterminate:
            return None


def behind(server: Server, router: Router, tree: ConfigTree, requests: Requests) -> Behind | None:
    """Who answers what is no file; None where that is nginx itself, or not to be told."""
    handler, hops = _handler(server, router, requests)
    for passed in proxy_locations([server], tree):
        is_it = handler is not None and passed.directive.start == handler.start
        if is_it and handler is not None and passed.directive.file == handler.file:
            return Behind(passed, hops)
    return None


def _handler(
    server: Server, router: Router, requests: Requests
) -> tuple[Directive | None, tuple[Directive, ...]]:
    asked = requests.to(server, _NO_FILE)
    if asked is None:
        return None, ()
    route = router.route(asked, NoFiles())
    # Who has no password, or the wrong address, is shown the door of the app all the same.
    is_the_app_s = route.answer.kind == "pass" or route.answer.status in _AT_THE_DOOR
    if not is_the_app_s or route.scope is None:
        return None, ()
    return route.scope.handler, tuple(hop.scope.directive for hop in route.hops)


def adopt_app(
    found: Behind, server: Server, draft: Draft, site: str, around: Around, *, is_ours: bool
) -> bool:
    """Write the app down; False where the YAML has no word for it, which is told."""
    at: Loc = ("sites", site)
    written, place = found.passed.directive.args[0], found.passed.place
    why = _unfit(found, written)
    if why:
        fix = "Only the adopted file says where requests go."
        draft.tell(place, f"no app is named: {why}", fix, at=at)
        return False
    target = found.target
    upstream = target if target.startswith("unix:") else f"http://{target}"
    app: dict[str, Any] = {"upstream": upstream}
    draft.sites[site]["app"] = app
    here = (*at, "app")
    if not is_ours:
        _tell_the_rest(found, draft, here)
    if target.removeprefix("unix:").removesuffix(":80") not in written:
        draft.remark(here, f"`{written}` is an upstream group; {target} is its one server.")
    try:
        seen = around.app(server, target)
    except (ReconcileError, OSError) as trouble:
        draft.failed(place, f"what runs at {target} cannot be told: {trouble}", at=here)
        return True
    _served(app, seen, target, place, draft, here)
    return True


def _unfit(found: Behind, written: str) -> str:
    if found.passed.directive.name != "proxy_pass":
        return f"{found.passed.directive.name} is not HTTP"
    if not found.passed.targets:
        return f"{written} is decided by a variable"
    if len(found.passed.targets) > 1:
        return f"{written} stands for {len(found.passed.targets)} servers"
    if written.startswith("https://"):
        return f"{written} is reached by HTTPS"
    return f"{written} goes below a path of the app" if _WITH_PATH.match(written) else ""


def _served(
    app: dict[str, Any], seen: FoundApp, target: str, place: str, draft: Draft, at: Loc
) -> None:
    if seen.problem:
        draft.failed(place, seen.problem, at=at)
    if seen.service:
        app["service"] = seen.service
    elif not seen.problem:
        fix = "Name it as `service:` where this host runs it."
        draft.tell(place, f"no unit of this host was found behind {target}", fix, at=at)
    if seen.user:
        app["user"] = seen.user
    if seen.gunicorn:
        app["gunicorn"] = asdict(seen.gunicorn)


def settle_user(site: dict[str, Any], draft: Draft, at: Loc) -> None:
    """Leave the app's user out where it is the one by default, or can save nothing as it stands."""
    app = site.get("app", {})
    user = app.get("user")
    if user in (None, "root"):
        return
    owners = list(_owners(site.get("locations", {})))
    shut_out = [
        f"{prefix} ({owner})" for prefix, owner, open_ in owners if not (user == owner or open_)
    ]
    if shut_out:
        what = f"the app runs as {user}, which cannot save in {', '.join(shut_out)}"
        draft.tell("", what, "`reconcile doctor` tells more.", at=(*at, "app"))
        del app["user"]
    elif user == (owners[0][1] if owners else BUILT_IN_OWNERS["uploads"].user):
        del app["user"]


def _owners(locations: Mapping[str, Any]) -> Iterator[tuple[str, str, bool]]:
    """Prefix, owner, and whether others may write, of what the app saves in."""
    for prefix, location in locations.items():
        if location["role"] == "media":
            owner = location.get("owner", "uploads")
            named = BUILT_IN_OWNERS[owner] if isinstance(owner, str) else None
            user = named.user if named else owner["user"]
            dirs = 0 if named else int(owner["dirs"], 8)
            yield prefix, str(user), bool(dirs & 0o022)


def _tell_the_rest(found: Behind, draft: Draft, at: Loc) -> None:
    told = (" ".join([one.name, *one.args]) for one in found.passed.scope.directives)
    rest = [words for words in told if not _SAID.match(words)]
    if rest:
        what = f"the app's location has more than the YAML can say: {'; '.join(rest)}"
        draft.tell(found.passed.place, what, "Only the adopted file holds it.", at=at)
