"""Map URL prefixes to folders, as the configuration declares them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from posixpath import dirname, join, normpath
from shlex import quote
from typing import Literal

from reconcile.doctor.config_view import Declaration, DeclaredLocation
from reconcile.doctor.evidence import directive_evidence
from reconcile.doctor.variable_roots import ResolvedRoot, RootResolver
from reconcile.filesystem.inventory import Item
from reconcile.filesystem.path import is_inside
from reconcile.nginx.model.config_tree import Directive
from reconcile.nginx.model.latin1 import from_raw
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.render.site_config import extra_line, is_managed, is_unmodified
from reconcile.nginx.routing.indeterminate import Indeterminate
from reconcile.nginx.routing.servers import Server

Role = Literal["static", "media", "other"]
_MEDIA = re.compile(r"media|upload|attachment|avatar", re.IGNORECASE)
_STATIC = re.compile(r"static|asset|/(?:css|js|img|images|fonts|dist|build)\b", re.IGNORECASE)


@dataclass(frozen=True)
class LocationMapping:
    """A location that maps to a folder, by its alias or root or by the root of its server.

    `folder`: the path of the prefix itself, exactly as nginx composes it. `host`: the only name
    for which it is that folder; "": any.
    """

    server: Server
    scope: Scope
    directive: Directive
    prefix: str
    folder: str
    role: Role
    declared: DeclaredLocation | None = None
    host: str = ""

    @property
    def root(self) -> str:
        """The value of its alias or root, with the variables resolved."""
        return self.folder if self.is_alias else self.folder.removesuffix(self.prefix) or "/"

    @property
    def is_alias(self) -> bool:
        """Whether an alias maps it, not a root."""
        return self.directive.name == "alias"

    def leads_out(self, link: Item) -> bool:
        """Whether this link in its folder has a target outside."""
        target = normpath(join(dirname(f"{self.path}/{link.path}"), link.target))
        return not is_inside(target, self.path)

    @property
    def repeats_prefix(self) -> bool:
        """Whether a root ends with the prefix that it is about to get."""
        own, root = self.prefix.strip("/"), self.root.rstrip("/")
        return not self.is_alias and bool(own) and f"{root}/".endswith(f"/{own}/")

    @property
    def path(self) -> str:
        """The folder without a trailing slash."""
        return self.folder.rstrip("/") or "/"

    @property
    def place(self) -> str:
        """File and line of the directive."""
        return self.directive.place

    @property
    def evidence(self) -> str:
        """The directive as the configuration has it, with its file and line."""
        return directive_evidence(self.directive)

    @property
    def is_inherited(self) -> bool:
        """Whether the directive stands outside of the location, and holds for others too."""
        return self.directive not in self.scope.own.get(self.directive.name, ())

    def edit_to(self, folder: str) -> str:
        """The edit by which this location alone serves `folder` from then on."""
        alias = f"alias {quote(folder.rstrip('/') + '/' * self.prefix.endswith('/'))};"
        if self.is_inherited:
            return f"{self.scope.directive.place}: add {alias} then reload nginx."
        what = alias if self.is_alias else f"replace root with {alias}"
        return f"{self.place}: {what} then reload nginx."

    @property
    def is_managed(self) -> bool:
        """Whether reconcile manages the file."""
        return is_managed(_file_content(self.scope))

    @property
    def is_restored_by_apply(self) -> bool:
        """Whether the next apply rewrites or removes this location.

        It does where a managed file was modified, except for the lines of `extra`.
        """
        data, line = _file_content(self.scope), self.scope.directive.line
        return is_managed(data) and not is_unmodified(data) and extra_line(data, line) is None

    @property
    def is_internal(self) -> bool:
        """Whether only the app can make nginx serve it."""
        return bool(self.scope.inherited("internal"))

    def __str__(self) -> str:
        return _location_name(self.scope, self.server)


@dataclass(frozen=True)
class UnresolvedLocation:
    """A location whose folder is not known, since it depends on the request."""

    server: Server
    scope: Scope
    directive: Directive
    why: str

    def __str__(self) -> str:
        return _location_name(self.scope, self.server)


@dataclass(frozen=True)
class LocationMapper:
    """Maps the locations of servers; relative paths start at `prefix`."""

    declared: Declaration
    resolver: RootResolver
    prefix: str

    def map(self, servers: Iterable[Server]) -> Iterator[LocationMapping | UnresolvedLocation]:
        """Every location that maps to a folder; nested ones included."""
        for server in servers:
            for scope in all_locations(server):
                if directive := _root_directive(scope):
                    yield from self._map_location(server, scope, directive)

    def _map_location(
        self, server: Server, scope: Scope, directive: Directive
    ) -> Iterator[LocationMapping | UnresolvedLocation]:
        try:
            for root in self._resolved_roots(server, scope, directive.args[0]):
                yield self._mapping(server, scope, directive, root)
        except Indeterminate as unclear:
            yield UnresolvedLocation(server, scope, directive, unclear.reason)

    def _resolved_roots(self, server: Server, scope: Scope, value: str) -> Iterator[ResolvedRoot]:
        if "$" in value:
            return self.resolver.resolve(server, scope, value)
        return iter((ResolvedRoot(from_raw(scope.name), value),))

    def _mapping(
        self, server: Server, scope: Scope, directive: Directive, root: ResolvedRoot
    ) -> LocationMapping:
        value = root.value if root.value.startswith("/") else f"{self.prefix}/{root.value}"
        is_alias = directive.name == "alias"
        folder = value if is_alias else value.removesuffix("/") + root.prefix
        declared = _declared_location(server, root.prefix, self.declared)
        role = _role(root.prefix, value, declared)
        return LocationMapping(
            server, scope, directive, root.prefix, folder, role, declared, root.host
        )


def _location_name(scope: Scope, server: Server) -> str:
    return f"{scope} of {server.names[0] or 'the server without a name'}"


def is_managed_server(server: Server) -> bool:
    """Whether reconcile manages the file of a server."""
    return is_managed(_file_content(server.scope))


def _file_content(scope: Scope) -> bytes:
    return scope.tree.files[scope.directive.file].data


def all_locations(server: Server) -> Iterator[Scope]:
    """All locations of a server, nested ones included."""
    return islice(server.scope.inward(), 1, None)


def _root_directive(scope: Scope) -> Directive | None:
    """The alias or root that maps a location to a folder."""
    if scope.modifier in ("@", "=") or scope.handler or "return" in scope.own:
        return None
    if scope.is_regex:
        # Without a variable every URI maps to one file: see the rule alias-target.
        return next((one for one in scope.own.get("alias", ()) if "$" in one.args[0]), None)
    written = scope.own.get("alias") or scope.own.get("root") or _inherited_root(scope)
    return written[0] if written else None


def _inherited_root(scope: Scope) -> list[Directive]:
    """The root of the server or of the http block, if the location can only serve files."""
    if scope.name == "/" or "try_files" in scope.own:
        return []
    level = scope.nearest("root", "alias")
    is_general = level is not None and level.directive.name in ("server", "http")
    return level.own.get("root", []) if level is not None and is_general else []


def _declared_location(
    server: Server, prefix: str, declared: Declaration
) -> DeclaredLocation | None:
    known = declared.locations_by_name
    numbers = {number for name in server.names for number in known.get(name.lower(), ())}
    of_its_names = (declared.locations[number] for number in sorted(numbers))
    wanted = prefix.rstrip("/")
    for location in of_its_names:
        if location.prefix.rstrip("/") == wanted and location.is_of(server):
            return location
    return None


def _role(prefix: str, folder: str, declared: DeclaredLocation | None) -> Role:
    """The declared role, else the one that the prefix or the folder suggests."""
    if declared is not None:
        return "static" if declared.role == "static" else "media"
    for text in (prefix, folder):
        if _MEDIA.search(text):
            return "media"
        if _STATIC.search(text):
            return "static"
    return "other"
