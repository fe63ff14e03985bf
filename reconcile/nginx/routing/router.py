"""The answer to a request, foretold: nginx's phases over a configuration tree.

Source: nginx's request phases (1.22 to 1.31), measured against its answers.
"""

from __future__ import annotations

import re

from reconcile.nginx.model.build import Build
from reconcile.nginx.model.latin1 import from_raw
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.model.sizes import body_limit
from reconcile.nginx.model.tree import ConfigTree
from reconcile.nginx.routing import uri
from reconcile.nginx.routing.access import check_access
from reconcile.nginx.routing.content import check_model, content, try_files
from reconcile.nginx.routing.location_match import Undecidable
from reconcile.nginx.routing.request import Files, Request, UnknownFiles
from reconcile.nginx.routing.request_context import Jump, Outcome, Status, Visit
from reconcile.nginx.routing.rewriting import run_rewrites
from reconcile.nginx.routing.route import Answer, Hop, Route
from reconcile.nginx.routing.servers import ServerTable

_BAD_HOST = re.compile(r"\.\.|[/\x00-\x20\x7f]")
_OVERWRITE = re.compile(r"=[0-9]*")
_ABRUPT = (408, 444, 499)
_REDIRECTS = (301, 302, 303, 307, 308)
_SHOWN_AS_400 = (494, 495, 496, 497)


class Router:
    """All routing of one configuration; build it once, ask it often.

    Errors: NginxSyntaxError, at the latest by `route`, where nginx would refuse
    a directive that routing reads.

    `prefix` is where relative paths start: what nginx was built with, or its `-p`.
    """

    def __init__(self, tree: ConfigTree, prefix: str = Build.prefix) -> None:
        self.servers = ServerTable(tree)
        self._prefix = prefix.rstrip("/") + "/"

    def route(self, request: Request, files: Files | None = None) -> Route:
        """Foretell the answer; without `files` whatever rests on the disk is unknown.

        What cannot be told is an answer of kind `unknown`, with the reason.
        """
        try:
            choice = self.servers.find(request.address, request.host)
        except Undecidable as unknown:
            return Route(request, Answer("unknown", None, reason=unknown.reason))
        sent = uri.normalise(request.uri, merge_slashes=self._merges_slashes(request))
        path, args = sent or ("", "")
        scope = choice.server.scope
        visit = Visit(
            request,
            choice,
            files or UnknownFiles(),
            self._prefix,
            path,
            args,
            request.method,
            scope,
        )
        visit.remember(choice.match)
        try:
            answer = _finish(visit, _start(visit))
        except Undecidable as unknown:
            answer = Answer("unknown", None, reason=unknown.reason)
        return Route(
            request,
            answer,
            choice.server,
            choice.listen,
            choice.why,
            tuple(visit.hops),
            visit.scope,
            from_raw(visit.path),
            visit.try_expand,
        )

    def _merges_slashes(self, request: Request) -> bool:
        # The URI is read before the Host header: the default server's setting holds.
        default = self.servers.default(request.address)
        return default is None or default.scope.argument("merge_slashes", "on") == "on"


def _start(visit: Visit) -> Outcome:
    if not visit.path:
        return Status(400, reason="malformed URI")
    if _BAD_HOST.search(visit.request.host):
        return Status(400, reason="malformed Host header")
    if visit.choice.listen.ssl and visit.request.scheme == "http":
        return Status(497, reason="plain HTTP was sent to an HTTPS port")
    return _from_server(visit)


def _from_server(visit: Visit) -> Outcome:
    visit.scope, visit.valid_location = visit.server_scope, True
    return run_rewrites(visit, visit.server_scope) or _from_location(visit)


def _from_location(visit: Visit) -> Outcome:
    while True:
        outcome = _enter_location(visit)
        if outcome is None and visit.scope is not visit.server_scope:
            outcome = run_rewrites(visit, visit.scope)
        if outcome is None and visit.uri_changed:
            visit.changes_left -= 1
            if visit.changes_left == 0:
                return Status(500, reason="rewrite or internal redirection cycle")
            continue
        return outcome or _serve(visit)


def _enter_location(visit: Visit) -> Outcome | None:
    """Choose the location, and what it refuses before anything else runs."""
    visit.uri_changed = False
    visit.scope = visit.server_scope
    choice = visit.choice.server.locations.find(visit.path)
    visit.remember(choice.match)
    visit.scope = choice.scope
    visit.hops.append(Hop(from_raw(visit.path), choice.scope, choice.why, choice.beaten))
    if not visit.internal and visit.scope.inherited("internal"):
        return Status(404, reason="internal: not for requests from outside")
    visit.scope = _within_limit_except(visit.scope, visit.method)
    limit = body_limit(visit.scope)
    if limit and visit.request.body_length > limit:
        return Status(413, reason=f"client_max_body_size is {limit} bytes")
    if choice.redirect:
        args = f"?{visit.args}" if visit.args else ""
        return Status(301, target=uri.escaped(choice.scope.name) + args)
    return None


def _within_limit_except(scope: Scope, method: str) -> Scope:
    for limit in scope.own.get("limit_except", ()):
        allowed = {*limit.args, "HEAD"} if "GET" in limit.args else set(limit.args)
        if method not in allowed:
            return Scope(scope.tree, limit, scope)
    return scope


def _serve(visit: Visit) -> Outcome:
    """The phases after rewriting: access, try_files, content."""
    check_model(visit)
    return check_access(visit) or try_files(visit) or content(visit)


def _finish(visit: Visit, outcome: Outcome) -> Answer:
    """Follow internal redirects and error pages to the answer."""
    while not isinstance(outcome, Answer):
        outcome = _jump(visit, outcome) if isinstance(outcome, Jump) else _special(visit, outcome)
    return outcome


def _jump(visit: Visit, jump: Jump) -> Outcome:
    visit.changes_left -= 1
    if visit.changes_left == 0:
        return Status(500, reason="internal redirection cycle")
    visit.internal, visit.add_uri_to_alias = True, False
    if jump.path.startswith("@"):
        return _enter_named(visit, jump.path)
    visit.path, visit.args = jump.path, jump.args
    return _from_server(visit)


def _enter_named(visit: Visit, name: str) -> Outcome:
    named = visit.choice.server.locations.named.get(name)
    if named is None:
        return Status(500, reason=f"there is no location {from_raw(name)}")
    visit.scope = _within_limit_except(named, visit.method)
    visit.hops.append(Hop(from_raw(visit.path), named, "named location"))
    visit.uri_changed = False
    outcome = run_rewrites(visit, visit.scope)
    if outcome is None and visit.uri_changed:
        visit.changes_left -= 1
        return _from_location(visit)
    return outcome or _serve(visit)


def _special(visit: Visit, status: Status) -> Outcome:
    """What becomes of a status: an error page, or nginx's own short answer."""
    if status.code in _ABRUPT:
        return Answer("error", status.code, reason=status.reason)
    visit.error_status = status.code
    pages = visit.scope.inherited("error_page")
    if pages and not visit.error_handled and visit.changes_left:
        visit.error_handled = visit.scope.argument("recursive_error_pages", "off") != "on"
        for page in pages:
            if str(status.code) in page.args[:-1]:
                return _error_page(visit, page.args)
    return _plain(status, visit.error_status)


def _error_page(visit: Visit, args: tuple[str, ...]) -> Outcome:
    overwrite = next((int(arg[1:] or 0) for arg in args[:-1] if _OVERWRITE.fullmatch(arg)), None)
    if overwrite is not None:
        visit.error_status = overwrite
    target = visit.expand(args[-1])
    if target.startswith("@"):
        return Jump(target)
    if target.startswith("/"):
        visit.method = "HEAD" if visit.method == "HEAD" else "GET"
        path, _, page_args = target.partition("?")
        return Jump(path, page_args)
    code = overwrite if overwrite in _REDIRECTS else 302
    return Answer("redirect", code, target=from_raw(target))


def _plain(status: Status, shown: int) -> Answer:
    shown = 400 if shown in _SHOWN_AS_400 else shown
    if status.target is not None:
        return Answer("redirect", shown, status.path, from_raw(status.target))
    return Answer("error", shown, status.path, reason=status.reason)
