"""Requests that the present servers of changing files answer: each location, each root's files."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from itertools import product

from reconcile.impact.response_diff import SampleRequest
from reconcile.nginx.model.latin1 import from_raw
from reconcile.nginx.model.listen import Address, Listen
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.render.site_config import CONFIG_TOKEN_PATH
from reconcile.nginx.routing.request import Request
from reconcile.nginx.routing.servers import Server
from reconcile.nginx.routing.uri import escaped

NO_SUCH_PAGE = "/reconcile-no-such-page"
"""What a page of a single-page app is to nginx: no file has this name."""
_PATTERNS = ("~", "*", ".")

NamesOf = Callable[[str], Sequence[str]]
"""Names of files in a folder, relative."""


def current_requests(
    servers: Collection[Server], names_of: NamesOf, known: Collection[str]
) -> Iterator[SampleRequest]:
    """Requests for every name of `servers` that are not in `known`, the labels of others."""
    labels = {*known}
    for server in servers:
        for listen, name in product(_tcp(server), _requested_names(server)):
            for sample in _of_server(server, listen, name, names_of):
                if sample.label not in labels:
                    labels.add(sample.label)
                    yield sample


def _of_server(
    server: Server, listen: Listen, name: str, names_of: NamesOf
) -> Iterator[SampleRequest]:
    yield _request(listen, name, "/")
    yield _request(listen, name, NO_SUCH_PAGE, short="/any/other/page")
    for folder in _folders(server.scope, "root"):
        for file in names_of(folder):
            yield _request(listen, name, f"/{escaped(file)}")
    for scope in server.scope.locations:
        if scope.modifier in ("", "^~", "=") and scope.name not in ("/", CONFIG_TOKEN_PATH):
            yield from _of_location(scope, listen, name, names_of)


def _of_location(
    scope: Scope, listen: Listen, name: str, names_of: NamesOf
) -> Iterator[SampleRequest]:
    prefix = from_raw(scope.name)
    yield _request(listen, name, escaped(prefix), is_usual=scope.modifier == "=")
    if prefix.endswith("/"):
        for folder in _folders(scope, "alias"):
            for file in names_of(folder):
                yield _request(listen, name, escaped(prefix + file))
        for folder in _folders(scope, "root"):
            for file in names_of(folder.rstrip("/") + prefix):
                yield _request(listen, name, escaped(prefix + file))


def _folders(scope: Scope, directive: str) -> Iterator[str]:
    for written in scope.own.get(directive, ()):
        if written.args and written.args[0].startswith("/") and "$" not in written.args[0]:
            yield written.args[0]


def _tcp(server: Server) -> Iterator[Listen]:
    """One listen for each port and protocol."""
    found = {(one.address.port, one.ssl): one for one in reversed(server.listens)}
    return (one for one in found.values() if one.address.port)


def _requested_names(server: Server) -> list[str]:
    plain = [name for name in server.names if name and not name.startswith(_PATTERNS)]
    return plain[:2] or (["_"] if "" in server.names else [])


def _request(
    listen: Listen, name: str, path: str, *, short: str = "", is_usual: bool = True
) -> SampleRequest:
    scheme = "https" if listen.ssl else "http"
    port = listen.address.port
    shown = "" if port == {"http": 80, "https": 443}[scheme] else f":{port}"
    address: Address = listen.address.local
    request = Request(path, name, address, scheme=scheme)  # type: ignore[arg-type]  # one of two
    return SampleRequest(
        f"{scheme}://{name}{shown}", path, (request,), short=short, is_usual=is_usual
    )
