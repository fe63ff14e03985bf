"""Resolve a root or alias with variables to folders, as far as they can be known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import islice

from reconcile.doctor.regex_examples import matching_texts
from reconcile.doctor.request_builder import RequestBuilder, example_names, is_plain_name
from reconcile.filesystem.files import Files
from reconcile.nginx.model.latin1 import from_raw, to_raw
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.routing import pcre
from reconcile.nginx.routing.indeterminate import Indeterminate
from reconcile.nginx.routing.route import Route
from reconcile.nginx.routing.router import Router
from reconcile.nginx.routing.servers import Server
from reconcile.nginx.routing.variable_maps import variable_maps

_CANARIES = ("reconcile-canary", "reconcile/canary")
"""Two unlike names: a value that is the same for both is the same for every file."""
_VARIABLE = re.compile(r"\$\{?([1-9]|[A-Za-z_]\w*)\}?", re.ASCII)
_PER_VISITOR = re.compile(
    r"\$\{?(?:http_(?!host\b)|arg_|cookie_|remote_|args\b|query_string\b|request)", re.ASCII
)
_MAX_EXAMPLES, _MAX_TENANTS = 5, 50


@dataclass(frozen=True)
class ResolvedRoot:
    """A URL prefix and the value of its root or alias.

    `host`: the name for which it has that value; "": for every name.
    """

    prefix: str
    value: str
    host: str = ""


class RootResolver:
    """Resolves the variables of a location by routing requests to it."""

    def __init__(self, router: Router, requests: RequestBuilder, files: Files) -> None:
        self._router = router
        self._requests = requests
        self._files = files

    def resolve(self, server: Server, scope: Scope, value: str) -> Iterator[ResolvedRoot]:
        """The value of `value` at `scope`; one for each name of the server, if they differ.

        Errors: Indeterminate where it depends on more than the name, or is not predictable.
        """
        if any(map(_PER_VISITOR.search, _values_behind(scope, value))):
            raise Indeterminate(f"{value} differs for each visitor")
        plain = [name.removeprefix(".") for name in server.names if is_plain_name(name)]
        found = [root for host in plain if (root := self._resolve_for(server, scope, value, host))]
        if len(plain) == len(server.names):
            yield from found if len({root.value for root in found}) > 1 else _for_every_name(found)
            return
        yield from found
        yield from self._resolve_patterns(server, scope, value)

    def _resolve_patterns(self, server: Server, scope: Scope, value: str) -> Iterator[ResolvedRoot]:
        """The values for names that match a wildcard or a regex."""
        hosts = list(islice(example_names(server), _MAX_EXAMPLES)) or [""]
        found = {
            root.value: root
            for host in hosts
            if (root := self._resolve_for(server, scope, value, host))
        }
        if len(found) > 1:
            yield from self._resolve_tenants(server, scope, value)
        else:
            yield from _for_every_name(found.values())

    def _resolve_tenants(self, server: Server, scope: Scope, value: str) -> Iterator[ResolvedRoot]:
        """Every folder that exists, with a name that leads to it."""
        if scope.is_regex:
            raise Indeterminate(f"{value} differs for each name")
        paths = sorted(set(self._matching_folders(_VARIABLE.sub("*", value))))
        for path in paths[:_MAX_TENANTS]:
            yield self._resolve_folder(server, scope, value, path)
        if not paths or len(paths) > _MAX_TENANTS:
            checked = f"; only {_MAX_TENANTS} of them were checked" if paths else ""
            raise Indeterminate(f"{value} differs for each name{checked}")

    def _matching_folders(self, pattern: str) -> Iterator[str]:
        for path in self._files.glob(pattern):
            found = self._files.stat(path, follow=True)
            if found and found.kind == "directory":
                yield path.rstrip("/")

    def _resolve_folder(self, server: Server, scope: Scope, value: str, path: str) -> ResolvedRoot:
        form = "([^/]+)".join(map(re.escape, _VARIABLE.sub("\0", value).split("\0")))
        parts = re.match(form.rstrip("/"), path)
        for host in _tenant_hosts(server, parts.groups() if parts else ()):
            # The default server accepts any name, for which the groups are unset.
            with suppress(Indeterminate):
                root = self._resolve_for(server, scope, value, host)
                if root and root.value.rstrip("/") == path:
                    return root
        raise Indeterminate(f"no name is known that leads to {path}")

    def _resolve_for(
        self, server: Server, scope: Scope, value: str, host: str
    ) -> ResolvedRoot | None:
        """The value for one name; None where no request with that name reaches the server."""
        found = set[ResolvedRoot]()
        for canary in _CANARIES:
            uri = self._matching_uri(scope, value, canary)
            request = self._requests.request(server, uri, host)
            if request is None:
                return None
            expanded = self._expand(self._router.route(request), scope, value)
            rest = canary if scope.is_regex else ""
            if not expanded.endswith(rest):
                raise Indeterminate(f"{value} does not map the prefix to a folder")
            found.add(ResolvedRoot(uri.removesuffix(canary), expanded.removesuffix(rest), host))
        if len(found) > 1:
            raise Indeterminate(f"{value} differs for each URI")
        return found.pop()

    @staticmethod
    def _expand(route: Route, scope: Scope, value: str) -> str:
        if route.location is not scope:
            raise Indeterminate(f"{value}: {route.request.uri} does not reach {scope}")
        expanded = route.expanded(value)
        if expanded is None:
            raise Indeterminate(f"the variables of {value} cannot be evaluated")
        return expanded

    @staticmethod
    def _matching_uri(scope: Scope, value: str, canary: str) -> str:
        """A URI for `canary` that should match the location."""
        if not scope.is_regex:
            return from_raw(scope.name) + canary
        *others, last = _used_groups(scope, value) or (0,)
        uris = matching_texts(from_raw(scope.name), {last: canary}) if last else iter(())
        whole = (uri for uri in uris if uri.startswith("/") and uri.endswith(canary))
        if others or not (uri := next(whole, "")):
            raise Indeterminate(f"{value} differs for each URI")
        return uri


def _values_behind(scope: Scope, value: str) -> list[str]:
    """`value`, and what the maps depend on whose variables it has."""
    maps, found = variable_maps(scope.tree), [value]
    for text in found:
        sources = (maps[name].source for name in _VARIABLE.findall(text) if name in maps)
        found += [one for one in sources if one not in found]
    return found


def _for_every_name(roots: Iterable[ResolvedRoot]) -> Iterator[ResolvedRoot]:
    """The first of these equal values, for every name."""
    return (replace(root, host="") for root in islice(roots, 1))


def _tenant_hosts(server: Server, texts: Iterable[str]) -> Iterator[str]:
    """Names of a server with one of these texts in the part that a variable captures."""
    for text in texts:
        yield text
        for name in server.names:
            if name.startswith("*."):
                yield f"{text}{name[1:]}"
            elif name.startswith("~"):
                pattern = pcre.compiled(to_raw(name[1:]))
                for group in range(1, pattern.python.groups + 1 if pattern else 1):
                    yield from islice(matching_texts(name[1:], {group: text}), 1)


def _used_groups(scope: Scope, value: str) -> tuple[int, ...]:
    """The groups of a regex location that `value` uses; 0 for one that does not exist."""
    pattern = pcre.compiled(scope.name, caseless=scope.modifier == "~*")
    names = pattern.python.groupindex if pattern else {}
    used = _VARIABLE.findall(value)
    return tuple(
        int(one) if one.isdigit() else names[one] for one in used if one.isdigit() or one in names
    )
