"""The folders that a root or an alias with variables stands for, as far as that can be told."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice

from reconcile.doctor.request_builder import RequestBuilder, example_names, is_plain_name
from reconcile.doctor.witness import witnesses
from reconcile.filesystem.files import Files
from reconcile.nginx.model.latin1 import from_raw, to_raw
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.routing import pcre
from reconcile.nginx.routing.location_match import Indeterminate
from reconcile.nginx.routing.route import Route
from reconcile.nginx.routing.router import Router
from reconcile.nginx.routing.servers import Server

_CANARIES = ("reconcile-canary", "reconcile/canary")
"""Unlike names: what is the same for both holds for every file."""
_VARIABLE = re.compile(r"\$\{?([1-9]|[A-Za-z_]\w*)\}?", re.ASCII)
_OF_ONE_VISITOR = re.compile(
    r"\$\{?(?:http_(?!host\b)|arg_|cookie_|remote_|args\b|query_string\b|request)", re.ASCII
)
_STRANGERS, _MOST_TENANTS = 5, 50


@dataclass(frozen=True)
class ResolvedRoot:
    """A URL prefix and the value of its root or alias; `host`: the one name that it holds for.

    "" as `host`: it is the same for every visitor.
    """

    prefix: str
    value: str
    host: str = ""


class RootResolver:
    """Variables of a location get their values from requests that are routed there."""

    def __init__(self, router: Router, visitors: RequestBuilder, files: Files) -> None:
        self._router = router
        self._visitors = visitors
        self._files = files

    def resolve(self, server: Server, scope: Scope, value: str) -> Iterator[ResolvedRoot]:
        """What `value` stands for there, for each of the server's names if they differ.

        Errors: Indeterminate where it depends on more than the name, or nobody can tell.
        """
        if _OF_ONE_VISITOR.search(value):
            raise Indeterminate(f"{value} is another folder for each visitor")
        plain = [name.removeprefix(".") for name in server.names if is_plain_name(name)]
        found = [spot for host in plain if (spot := self._resolve_for(server, scope, value, host))]
        if len(plain) == len(server.names):
            yield from found if len({spot.value for spot in found}) > 1 else _for_every_name(found)
            return
        yield from found
        yield from self._resolve_patterns(server, scope, value)

    def _resolve_patterns(self, server: Server, scope: Scope, value: str) -> Iterator[ResolvedRoot]:
        """What holds for names that only a wildcard or a regex stands for."""
        hosts = list(islice(example_names(server), _STRANGERS)) or [""]
        found = {
            spot.value: spot
            for host in hosts
            if (spot := self._resolve_for(server, scope, value, host))
        }
        if len(found) > 1:
            yield from self._resolve_tenants(server, scope, value)
        else:
            yield from _for_every_name(found.values())

    def _resolve_tenants(self, server: Server, scope: Scope, value: str) -> Iterator[ResolvedRoot]:
        """Every folder that is there already, with a name that leads to it."""
        if scope.is_regex:
            raise Indeterminate(f"{value} is another folder for each name")
        paths = sorted(set(self._folders(_VARIABLE.sub("*", value))))
        for path in paths[:_MOST_TENANTS]:
            yield self._resolve_tenant(server, scope, value, path)
        if not paths or len(paths) > _MOST_TENANTS:
            looked = f", and only {_MOST_TENANTS} of them were looked at" if paths else ""
            raise Indeterminate(f"{value} is another folder for each name{looked}")

    def _folders(self, pattern: str) -> Iterator[str]:
        for path in self._files.glob(pattern):
            found = self._files.stat(path, follow=True)
            if found and found.kind == "directory":
                yield path.rstrip("/")

    def _resolve_tenant(self, server: Server, scope: Scope, value: str, path: str) -> ResolvedRoot:
        form = "([^/]+)".join(map(re.escape, _VARIABLE.sub("\0", value).split("\0")))
        parts = re.match(form.rstrip("/"), path)
        for host in _hosts(server, parts.groups() if parts else ()):
            # The default server takes any name, and then no group has a text.
            with suppress(Indeterminate):
                spot = self._resolve_for(server, scope, value, host)
                if spot and spot.value.rstrip("/") == path:
                    return spot
        raise Indeterminate(f"no name is known that leads to {path}")

    def _resolve_for(
        self, server: Server, scope: Scope, value: str, host: str
    ) -> ResolvedRoot | None:
        """What holds for one name; None where no request of that name gets to the server."""
        found = set[ResolvedRoot]()
        for canary in _CANARIES:
            uri = self._uri(scope, value, canary)
            asked = self._visitors.request(server, uri, host)
            if asked is None:
                return None
            told = self._expand(self._router.route(asked), scope, value)
            rest = canary if scope.is_regex else ""
            if not told.endswith(rest):
                raise Indeterminate(f"{value} is no folder that a prefix stands for")
            found.add(ResolvedRoot(uri.removesuffix(canary), told.removesuffix(rest), host))
        if len(found) > 1:
            raise Indeterminate(f"{value} is another folder for each URI")
        return found.pop()

    @staticmethod
    def _expand(route: Route, scope: Scope, value: str) -> str:
        if route.location is not scope:
            raise Indeterminate(f"{value}: {route.request.uri} does not get to {scope}")
        told = route.expanded(value)
        if told is None:
            raise Indeterminate(f"the variables of {value} are not known beforehand")
        return told

    @staticmethod
    def _uri(scope: Scope, value: str, canary: str) -> str:
        """A URI for `canary` that the location should take."""
        if not scope.is_regex:
            return from_raw(scope.name) + canary
        *others, last = _groups(scope, value) or (0,)
        uris = witnesses(from_raw(scope.name), {last: canary}) if last else iter(())
        whole = (uri for uri in uris if uri.startswith("/") and uri.endswith(canary))
        if others or not (uri := next(whole, "")):
            raise Indeterminate(f"{value} is another folder for each URI")
        return uri


def _for_every_name(spots: Iterable[ResolvedRoot]) -> Iterator[ResolvedRoot]:
    """What is the same for every name, once."""
    return (replace(spot, host="") for spot in islice(spots, 1))


def _hosts(server: Server, texts: Iterable[str]) -> Iterator[str]:
    """Names of a server that have one of these texts where a variable takes it from."""
    for text in texts:
        yield text
        for name in server.names:
            if name.startswith("*."):
                yield f"{text}{name[1:]}"
            elif name.startswith("~"):
                pattern = pcre.compiled(to_raw(name[1:]))
                for group in range(1, pattern.groups + 1 if pattern else 1):
                    yield from islice(witnesses(name[1:], {group: text}), 1)


def _groups(scope: Scope, value: str) -> tuple[int, ...]:
    """The groups of a regex location that `value` uses; 0 for one that it has not."""
    pattern = pcre.compiled(scope.name, caseless=scope.modifier == "~*")
    names = pattern.groupindex if pattern else {}
    used = _VARIABLE.findall(value)
    return tuple(
        int(one) if one.isdigit() else names[one] for one in used if one.isdigit() or one in names
    )
