"""Which folder stands behind which URL prefix, read off the configuration."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from reconcile.doctor.config_view import Declaration, DeclaredLocation
from reconcile.doctor.evidence import directive_evidence
from reconcile.doctor.variable_roots import ResolvedRoot, RootResolver
from reconcile.nginx.model.latin1 import from_raw
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.model.tree import Directive
from reconcile.nginx.render.render import extra_line, is_managed, is_unmodified
from reconcile.nginx.routing.location_match import Indeterminate
from reconcile.nginx.routing.servers import Server

Role = Literal["static", "media", "other"]
_MEDIA = re.compile(r"media|upload|attachment|avatar", re.IGNORECASE)
_STATIC = re.compile(r"static|asset|/(?:css|js|img|images|fonts|dist|build)\b", re.IGNORECASE)


@dataclass(frozen=True)
class LocationMapping:
    """A location that stands for a folder, by its alias or root or by the root of its server.

    `folder` is what the prefix itself stands for, exactly as nginx puts it together. `host` is
    the one name for which it does; "": any.
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
        """What its alias or root is, with the values of the variables in it."""
        return self.folder if self.is_alias else self.folder.removesuffix(self.prefix) or "/"

    @property
    def is_alias(self) -> bool:
        return self.directive.name == "alias"

    @property
    def path(self) -> str:
        """The folder without a slash at its end."""
        return self.folder.rstrip("/") or "/"

    @property
    def place(self) -> str:
        return self.directive.place

    @property
    def evidence(self) -> str:
        """The directive as the configuration has it, with its file and line."""
        return directive_evidence(self.directive)

    @property
    def is_managed(self) -> bool:
        """Whether reconcile wrote the file."""
        return is_managed(_file_content(self.scope))

    @property
    def is_restored_by_apply(self) -> bool:
        """Whether the next apply writes this location anew, or takes it away.

        That is so where somebody has changed our file since, but not what `extra` has in it.
        """
        data, line = _file_content(self.scope), self.scope.directive.line
        return is_managed(data) and not is_unmodified(data) and extra_line(data, line) is None

    @property
    def is_internal(self) -> bool:
        return bool(self.scope.inherited("internal"))

    def __str__(self) -> str:
        return f"{self.scope} of {self.server.names[0] or 'the server without a name'}"


@dataclass(frozen=True)
class UnresolvedLocation:
    """A location whose folder is not known, since it depends on the request."""

    server: Server
    scope: Scope
    directive: Directive
    why: str

    def __str__(self) -> str:
        return f"{self.scope} of {self.server.names[0] or 'the server without a name'}"


@dataclass(frozen=True)
class LocationMapper:
    """How locations are read: with which YAML, routed how, relative paths starting at `prefix`."""

    declared: Declaration
    variables: RootResolver
    prefix: str

    def map(self, servers: Iterable[Server]) -> Iterator[LocationMapping | UnresolvedLocation]:
        """Every location that stands for a folder; nested ones included."""
        for server in servers:
            for scope in _locations(server.scope):
                if directive := _root_directive(scope):
                    yield from self._map_location(server, scope, directive)

    def _map_location(
        self, server: Server, scope: Scope, directive: Directive
    ) -> Iterator[LocationMapping | UnresolvedLocation]:
        try:
            for spot in self._resolved_roots(server, scope, directive.args[0]):
                yield self._mapping(server, scope, directive, spot)
        except Indeterminate as undecided:
            yield UnresolvedLocation(server, scope, directive, undecided.reason)

    def _resolved_roots(self, server: Server, scope: Scope, value: str) -> Iterator[ResolvedRoot]:
        if "$" in value:
            return self.variables.resolve(server, scope, value)
        return iter((ResolvedRoot(from_raw(scope.name), value),))

    def _mapping(
        self, server: Server, scope: Scope, directive: Directive, root: ResolvedRoot
    ) -> LocationMapping:
        value = root.value if root.value.startswith("/") else f"{self.prefix}/{root.value}"
        is_alias = directive.name == "alias"
        folder = value if is_alias else value.removesuffix("/") + root.prefix
        said = _declared_location(server, root.prefix, self.declared)
        role = _guess_role(root.prefix, value, said)
        return LocationMapping(server, scope, directive, root.prefix, folder, role, said, root.host)


def is_managed_server(server: Server) -> bool:
    """Whether reconcile wrote the file that a server stands in."""
    return is_managed(_file_content(server.scope))


def _file_content(scope: Scope) -> bytes:
    return scope.tree.files[scope.directive.file].data


def all_locations(server: Server) -> Iterator[Scope]:
    """All locations of a server, nested ones included."""
    return _locations(server.scope)


def _locations(scope: Scope) -> Iterator[Scope]:
    for location in scope.locations:
        yield location
        yield from _locations(location)


def _root_directive(scope: Scope) -> Directive | None:
    """The alias or root that makes a location stand for a folder."""
    if scope.modifier in ("@", "=") or scope.handler or "return" in scope.own:
        return None
    if scope.is_regex:
        # Without a variable it stands for one file alone: see the rule alias-target.
        return next((one for one in scope.own.get("alias", ()) if "$" in one.args[0]), None)
    written = scope.own.get("alias") or scope.own.get("root") or _inherited_root(scope)
    return written[0] if written else None


def _inherited_root(scope: Scope) -> list[Directive]:
    """The root of the server, where the location is about files and nothing else."""
    if scope.name == "/" or "try_files" in scope.own:
        return []
    level = scope.nearest("root", "alias")
    named = level is not None and "root" in level.own and level.directive.name == "server"
    return level.own["root"] if level is not None and named else []


def _declared_location(
    server: Server, prefix: str, declared: Declaration
) -> DeclaredLocation | None:
    wanted = prefix.rstrip("/")
    for location in declared.locations:
        if location.prefix.rstrip("/") == wanted and any(map(location.serves, server.names)):
            return location
    return None


def _guess_role(prefix: str, folder: str, said: DeclaredLocation | None) -> Role:
    if said is not None:
        return "static" if said.role == "static" else "media"
    for text in (prefix, folder):
        if _MEDIA.search(text):
            return "media"
        if _STATIC.search(text):
            return "static"
    return "other"
