"""Static simulation of nginx's request phases over a configuration tree.

Source: nginx's request phases (1.22 to 1.31), measured against its answers.
"""

from __future__ import annotations

import re
from dataclasses import replace

from reconcile.nginx.model.build import Build
from reconcile.nginx.model.config_tree import ConfigTree
from reconcile.nginx.model.latin1 import from_raw
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.model.sizes import body_limit, header_limit
from reconcile.nginx.routing import uri
from reconcile.nginx.routing.access import check_access
from reconcile.nginx.routing.content import check_model, content, try_files
from reconcile.nginx.routing.indeterminate import Indeterminate
from reconcile.nginx.routing.request import NoPathKinds, PathKinds, Request
from reconcile.nginx.routing.request_context import (
    InternalRedirect,
    PhaseResult,
    RequestContext,
    StatusResult,
)
from reconcile.nginx.routing.rewriting import run_rewrites
from reconcile.nginx.routing.route import Answer, Hop, Route, closed
from reconcile.nginx.routing.servers import Server, ServerChoice, ServerTable
from reconcile.nginx.routing.upstream_request import PassedUri, passed_uri
from reconcile.nginx.routing.variable_maps import variable_maps

_BAD_HOST = re.compile(r"\.\.|[/\x00-\x20\x7f]")
_METHOD = re.compile(r"[A-Z_-]+")
_NO_HOST_YET = "the server of the connection: nginx has not read a Host header"
_OVERWRITE = re.compile(r"=[0-9]*")
_ABRUPT = (408, 444, 499)
_REDIRECTS = (301, 302, 303, 307, 308)
_SHOWN_AS_400 = (494, 495, 496, 497)


class Router:
    """Routes requests through one configuration; build it once, use it often.

    Errors: NginxSyntaxError, at the latest by `route`, where nginx would refuse
    a directive that routing reads.

    `prefix` is where relative paths start: what nginx was built with, or its `-p`.
    """

    def __init__(self, tree: ConfigTree, prefix: str = Build.prefix) -> None:
        self.servers = ServerTable(tree)
        self._maps = variable_maps(tree)
        self._prefix = prefix.rstrip("/") + "/"

    def route(self, request: Request, files: PathKinds | None = None) -> Route:
        """Predict the answer; without `files`, whatever depends on the disk is unknown.

        An answer that cannot be determined has the kind `unknown` and a reason.
        """
        try:
            choice = self.servers.find(request.address, request.host)
        except Indeterminate as unknown:
            return Route(request, Answer("unknown", None, reason=unknown.reason))
        if refusal := self._refused_connection(request, choice):
            return Route(request, refusal, choice.server, choice.listen, choice.why)
        sent = uri.normalise(request.uri, merge_slashes=self._merges_slashes(request))
        refused = _refused_line(request, self._first_server(request).scope, sent)
        if refused:
            # Nginx has not read the Host header yet.
            choice = replace(choice, server=self._first_server(request), why=_NO_HOST_YET)
        context = self._context(request, choice, files or NoPathKinds(), sent or ("", ""))
        try:
            answer = _follow_redirects(context, refused or _check_request(context))
        except Indeterminate as unknown:
            answer = Answer("unknown", None, reason=unknown.reason)
        return _route_of(context, answer)

    def takes_alike(self, request: Request, other: Router) -> bool:
        """Whether both take the request line, and read it alike, before the server is chosen.

        Errors: Indeterminate.
        """
        merges_slashes = self._merges_slashes(request)
        if merges_slashes != other._merges_slashes(request):
            return False
        sent = uri.normalise(request.uri, merge_slashes=merges_slashes)
        readers = (one._first_server(request).scope for one in (self, other))
        return not any(_refused_line(request, scope, sent) for scope in readers)

    def _context(
        self, request: Request, choice: ServerChoice, files: PathKinds, sent: tuple[str, str]
    ) -> RequestContext:
        """The state in which the request gets to the server; `sent` is its path and arguments."""
        path, args = sent
        scope = choice.server.scope
        context = RequestContext(
            request, choice, files, self._prefix, path, args, request.method, scope, self._maps
        )
        context.remember(choice.match)
        return context

    def _refused_connection(self, request: Request, choice: ServerChoice) -> Answer | None:
        """Why no request gets through on this connection; None where one does."""
        listen = choice.listen
        if listen.proxy_protocol and request.is_stranger:
            return closed(f"listen … proxy_protocol ({listen.place}): no PROXY header was sent")
        if request.scheme == "https" and not listen.ssl:
            return closed(f"TLS was sent to a port without it ({listen.place})")
        if request.scheme == "https":
            server = self.servers.by_sni(request.address, request.host)
            if server and server.scope.argument("ssl_reject_handshake", "off") == "on":
                return closed(f"ssl_reject_handshake of {server}")
        return None

    def _first_server(self, request: Request) -> Server:
        """The server that a connection belongs to before the Host header is read."""
        by_sni = self.servers.by_sni if request.scheme == "https" else None
        found = by_sni(request.address, request.host) if by_sni else None
        return found or self.servers.default(request.address) or self.servers.servers[0]

    def _merges_slashes(self, request: Request) -> bool:
        # The URI is read before the Host header, so the default server's setting applies.
        default = self.servers.default(request.address)
        return default is None or default.scope.argument("merge_slashes", "on") == "on"


def _route_of(context: RequestContext, answer: Answer) -> Route:
    """What the request has been through, and the answer at its end."""
    choice = context.choice
    return Route(
        context.request,
        answer,
        choice.server,
        choice.listen,
        choice.why,
        tuple(context.hops),
        context.scope,
        from_raw(context.path),
        tuple(context.tried),
        _passed_uri(context, answer),
        context.try_expand,
    )


def _refused_line(request: Request, scope: Scope, sent: uri.Uri | None) -> StatusResult | None:
    """The status for a request line or a Host header that nginx does not take; None where it is."""
    line = f"{request.method} {request.uri} HTTP/1.1\r\n"
    if len(line.encode("utf-8", "surrogateescape")) > header_limit(scope):
        return StatusResult(414, reason="the URI exceeds large_client_header_buffers")
    if not _METHOD.fullmatch(request.method):
        return StatusResult(400, reason="malformed method")
    if not sent or not sent.path:
        return StatusResult(400, reason="malformed URI")
    if _BAD_HOST.search(request.host):
        return StatusResult(400, reason="malformed Host header")
    if any(len(f"{n}: {v}\r\n") > header_limit(scope) for n, v in request.headers.items()):
        return StatusResult(494, reason="a header exceeds large_client_header_buffers")
    return None


def _passed_uri(context: RequestContext, answer: Answer) -> PassedUri | None:
    handler = context.scope.handler
    if answer.kind != "pass" or handler is None or handler.name != "proxy_pass":
        return None
    return passed_uri(context, handler.args[0])


def _check_request(context: RequestContext) -> PhaseResult:
    request, server = context.request, context.server_scope
    if request.method in ("TRACE", "CONNECT"):
        return StatusResult(405, reason=f"nginx refuses {request.method}")
    if context.choice.listen.ssl and request.scheme == "http":
        return StatusResult(497, reason="plain HTTP was sent to an HTTPS port")
    wants_certificate = server.argument("ssl_verify_client", "off") == "on"
    if request.scheme == "https" and wants_certificate and request.is_stranger:
        return StatusResult(496, reason="ssl_verify_client: no client certificate was sent")
    return _from_server(context)


def _from_server(context: RequestContext) -> PhaseResult:
    context.scope, context.valid_location = context.server_scope, True
    return run_rewrites(context, context.server_scope) or _from_location(context)


def _from_location(context: RequestContext) -> PhaseResult:
    while True:
        outcome = _enter_location(context)
        if outcome is None and context.scope is not context.server_scope:
            outcome = run_rewrites(context, context.scope)
        if outcome is None and context.uri_changed:
            context.changes_left -= 1
            if context.changes_left == 0:
                return StatusResult(500, reason="rewrite or internal redirection cycle")
            continue
        return outcome or _serve(context)


def _enter_location(context: RequestContext) -> PhaseResult | None:
    """Match the location and apply its own limits before any other phase."""
    context.uri_changed = False
    context.scope = context.server_scope
    choice = context.choice.server.locations.find(context.path)
    context.remember(choice.match)
    context.scope = choice.scope
    context.hops.append(Hop(from_raw(context.path), choice.scope, choice.why, choice.runners_up))
    if not context.internal and context.scope.inherited("internal"):
        return StatusResult(404, reason="internal: only internal redirects reach it")
    context.scope = _within_limit_except(context.scope, context.method)
    limit = body_limit(context.scope)
    if limit and context.request.body_length > limit:
        return StatusResult(413, reason=f"client_max_body_size is {limit} bytes")
    if choice.redirect:
        args = f"?{context.args}" if context.args else ""
        return StatusResult(301, target=uri.escaped(choice.scope.name) + args)
    return None


def _within_limit_except(scope: Scope, method: str) -> Scope:
    for limit in scope.own.get("limit_except", ()):
        allowed = {*limit.args, "HEAD"} if "GET" in limit.args else set(limit.args)
        if method not in allowed:
            return Scope(scope.tree, limit, scope)
    return scope


def _serve(context: RequestContext) -> PhaseResult:
    """The phases after rewriting: access, try_files, content."""
    check_model(context)
    return check_access(context) or try_files(context) or content(context)


def _follow_redirects(context: RequestContext, outcome: PhaseResult) -> Answer:
    """Follow internal redirects and error pages to the answer."""
    while not isinstance(outcome, Answer):
        outcome = (
            _redirect_internally(context, outcome)
            if isinstance(outcome, InternalRedirect)
            else _answer_status(context, outcome)
        )
    return outcome


def _redirect_internally(context: RequestContext, jump: InternalRedirect) -> PhaseResult:
    context.changes_left -= 1
    if context.changes_left == 0:
        return StatusResult(500, reason="internal redirection cycle")
    context.internal, context.add_uri_to_alias = True, False
    if jump.path.startswith("@"):
        return _enter_named(context, jump.path)
    context.valid_unparsed_uri = False
    context.path, context.args = jump.path, jump.args
    return _from_server(context)


def _enter_named(context: RequestContext, name: str) -> PhaseResult:
    named = context.choice.server.locations.named.get(name)
    if named is None:
        return StatusResult(500, reason=f"no location {from_raw(name)} exists")
    context.scope = _within_limit_except(named, context.method)
    context.hops.append(Hop(from_raw(context.path), named, "named location"))
    context.uri_changed = False
    outcome = run_rewrites(context, context.scope)
    if outcome is None and context.uri_changed:
        context.changes_left -= 1
        return _from_location(context)
    return outcome or _serve(context)


def _answer_status(context: RequestContext, status: StatusResult) -> PhaseResult:
    """Answer a status by its error page, or by nginx's own page."""
    if status.code in _ABRUPT:
        return Answer("error", status.code, reason=status.reason)
    context.error_status = status.code
    pages = context.scope.inherited("error_page")
    if pages and not context.error_handled and context.changes_left:
        context.error_handled = context.scope.argument("recursive_error_pages", "off") != "on"
        for page in pages:
            if str(status.code) in page.args[:-1]:
                return _error_page(context, page.args)
    return _own_answer(status, context.error_status)


def _error_page(context: RequestContext, args: tuple[str, ...]) -> PhaseResult:
    overwrite = next((int(arg[1:] or 0) for arg in args[:-1] if _OVERWRITE.fullmatch(arg)), None)
    if overwrite is not None:
        context.error_status = overwrite
    target = context.expand(args[-1])
    if target.startswith("@"):
        return InternalRedirect(target)
    if target.startswith("/"):
        context.method = "HEAD" if context.method == "HEAD" else "GET"
        path, _, page_args = target.partition("?")
        return InternalRedirect(path, page_args)
    code = overwrite if overwrite in _REDIRECTS else 302
    return Answer("redirect", code, target=from_raw(target))


def _own_answer(status: StatusResult, shown: int) -> Answer:
    shown = 400 if shown in _SHOWN_AS_400 else shown
    if status.target is not None:
        return Answer("redirect", shown, status.path, from_raw(status.target))
    return Answer("error", shown, status.path, reason=status.reason)
