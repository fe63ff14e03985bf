"""The state of one request between nginx's phases (ngx_http_request_t), and its variables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from reconcile.nginx.model.latin1 import from_raw, to_raw
from reconcile.nginx.model.scope import Scope
from reconcile.nginx.routing import uri
from reconcile.nginx.routing.indeterminate import Indeterminate
from reconcile.nginx.routing.module_variables import MODULE_VARIABLES
from reconcile.nginx.routing.request import FOLDERS, FileKind, LinkRule, PathKinds, Request
from reconcile.nginx.routing.route import Answer, Hop, Tried
from reconcile.nginx.routing.servers import ServerChoice, hostname
from reconcile.nginx.routing.variable_maps import AnyMap

MAX_URI_CHANGES = 10
"""Nginx gives up with 500 after so many internal redirects."""

_LINK_RULES: Mapping[str, LinkRule] = {"on": "on", "if_not_owner": "if_not_owner"}
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|([1-9])|([A-Za-z_]\w*))", re.ASCII)


@dataclass(frozen=True)
class StatusResult:
    """A status that error_page may still replace."""

    code: int
    target: str | None = None
    path: str | None = None
    reason: str = ""


@dataclass(frozen=True)
class InternalRedirect:
    """An internal redirect: to a path, or to a named location (`@name`)."""

    path: str
    args: str = ""


PhaseResult = Answer | StatusResult | InternalRedirect


@dataclass(frozen=True)
class PathMapping:
    """The mapping of URIs to files: `folder` replaces the first `strip_length` bytes.

    `is_whole` marks an alias in a regex location, which is the complete file path.
    """

    folder: str
    strip_length: int = 0
    is_alias: bool = False
    is_whole: bool = False


@dataclass
class RequestContext:
    """The state of one request; strings carry one character a byte."""

    request: Request
    choice: ServerChoice
    files: PathKinds
    prefix: str
    path: str
    args: str
    method: str
    scope: Scope
    maps: Mapping[str, AnyMap] = field(default_factory=dict)
    valid_unparsed_uri: bool = True
    internal: bool = False
    uri_changed: bool = False
    valid_location: bool = True
    add_uri_to_alias: bool = False
    error_handled: bool = False
    error_status: int = 0
    changes_left: int = MAX_URI_CHANGES + 1
    match: re.Match[str] | None = None
    variables: dict[str, str | None] = field(default_factory=dict)
    hops: list[Hop] = field(default_factory=list)
    tried: list[Tried] = field(default_factory=list)

    @property
    def _is_escaped(self) -> bool:
        path = self.request.uri.partition("?")[0]
        return "%" in path or "+" in path

    @property
    def needs_escape(self) -> bool:
        """Whether what is passed on is escaped again: it came escaped, or was made by nginx."""
        return self.internal or "%" in self.request.uri.partition("?")[0]

    @property
    def server_scope(self) -> Scope:
        """The level of the server block."""
        return self.choice.server.scope

    def kind(self, path: str) -> FileKind:
        """The kind of file at `path`. Errors: Indeterminate where it is unknown."""
        kind = self.files.kind(from_raw(path))
        if kind == "unknown":
            raise Indeterminate(f"{from_raw(path)} could not be examined")
        rule = _LINK_RULES.get(self.scope.argument("disable_symlinks", "off"))
        if rule:
            return self._without_links(path, kind, rule)
        # With a cache nginx opens what it otherwise only asks for.
        is_cached = self.scope.argument("open_file_cache", "off") != "off"
        return "denied" if is_cached and kind in ("unreadable", "unlistable") else kind

    def is_folder(self, path: str) -> bool:
        """Whether nginx finds a directory there, if it only asks and does not open it."""
        is_asked = self.scope.argument("disable_symlinks", "off") == "off"
        return is_asked and self.files.kind(from_raw(path)) in FOLDERS

    def _without_links(self, path: str, kind: FileKind, rule: LinkRule) -> FileKind:
        """Nginx then opens each component, and at the end also what it only asks for."""
        start = self._links_allowed_to(path)
        if start < len(path) and (
            refusal := self.files.link_refusal(from_raw(path), rule, len(from_raw(path[:start])))
        ):
            return refusal
        return "denied" if kind in ("unreadable", "unlistable") else kind

    def _links_allowed_to(self, path: str) -> int:
        """How much of `path` may contain links, by `from=`."""
        written = self.scope.inherited("disable_symlinks")[-1].args[1:]
        allowed = self.expand(written[0].removeprefix("from=")) if written else ""
        if not allowed or not path.startswith(allowed):
            return 0
        is_whole = path[len(allowed) : len(allowed) + 1] in ("", "/") or allowed.endswith("/")
        return len(allowed) if is_whole else 0

    def path_mapping(self) -> PathMapping:
        """The root or alias in force. Errors: Indeterminate for an unknown variable."""
        scope = self.scope.nearest("root", "alias")
        if scope is None:
            return PathMapping(self.prefix + "html")
        is_alias = "alias" in scope.own
        written = scope.own["alias" if is_alias else "root"][0].args[0]
        folder = self.expand(written if is_alias else written.removesuffix("/"))
        if not folder.startswith("/") and not (folder == "" and written == "/"):
            folder = self.prefix + folder
        if is_alias and scope.is_regex:
            return PathMapping(folder, is_alias=True, is_whole=True)
        return PathMapping(folder, len(scope.name) if is_alias else 0, is_alias=is_alias)

    def file_path(self, root: PathMapping) -> str:
        """The path on disk of the current URI."""
        if root.is_whole:
            return root.folder + (self.path if self.add_uri_to_alias else "")
        return root.folder + self.path[root.strip_length :]

    def remember(self, match: re.Match[str] | None) -> None:
        """Keep a regex match: its groups become $1 and the named variables."""
        if match:
            self.match = match
            for name, value in match.groupdict().items():
                self.variables[name] = value or ""

    def expand(self, template: str, *, quote_groups: bool = False) -> str:
        """`template` with its variables expanded. Errors: Indeterminate for a dynamic one."""

        def value(match: re.Match[str]) -> str:
            """The value of one variable of the template."""
            if match[2]:
                return self._group(int(match[2]), quote=quote_groups)
            return self.variable(match[1] or match[3])

        return _VARIABLE.sub(value, to_raw(template)) if "$" in template else to_raw(template)

    def try_expand(self, template: str) -> str | None:
        """`template` with its variables expanded; None for one that is not static."""
        try:
            return from_raw(self.expand(template))
        except Indeterminate:
            return None

    def _group(self, number: int, *, quote: bool) -> str:
        if not self.match or number > self.match.re.groups:
            return ""
        value = self.match[number] or ""
        return uri.escaped_argument(value) if quote and self._is_escaped else value

    def variable(self, name: str) -> str:
        """One variable's value. Errors: Indeterminate for one that is not static."""
        if name.isdigit():
            return self._group(int(name), quote=False)
        if name not in self.variables and name in self.maps:
            self.variables[name] = self._mapped(self.maps[name])
        value = self.variables[name] if name in self.variables else self._builtin(name)
        if value is None:
            raise Indeterminate(f"${name} cannot be evaluated statically")
        return value

    def _mapped(self, found: AnyMap) -> str:
        value = found.value_for(self.expand(found.source), self.remember)
        return self.expand(from_raw(value))

    def _builtin(self, name: str) -> str | None:
        request = self.request
        if name.startswith("http_"):
            return to_raw(self._header(name[5:].replace("_", "-")))
        if name == "host":
            return to_raw(hostname(request.host) or self.choice.server.names[0])
        if name in ("uri", "document_uri"):
            return self.path
        if name in ("args", "query_string"):
            return self.args
        if name == "document_root":
            return self.path_mapping().folder
        if name == "request_filename":
            return self.file_path(self.path_mapping())
        if name.startswith("arg_"):
            return self._argument(name[4:].lower())
        if name in MODULE_VARIABLES:
            return MODULE_VARIABLES[name](self)
        if name.startswith("cookie_"):
            return to_raw(self._cookie(name[7:]))
        fixed = {
            "request_uri": request.uri,
            "is_args": "?" if self.args else "",
            "scheme": request.scheme,
            "https": "on" if request.scheme == "https" else "",
            "request_method": self.method,
            "remote_addr": request.client,
            "realip_remote_addr": request.client,
            "server_port": str(request.address.port),
            "server_addr": request.address.host,
            "server_name": self.choice.server.names[0],
            "request": f"{request.method} {request.uri} HTTP/1.1",
            "server_protocol": "HTTP/1.1",
            "content_type": self._header("content-type"),
            "content_length": str(request.body_length or self._header("content-length")),
            "proxy_add_x_forwarded_for": ", ".join(
                filter(None, [self._header("x-forwarded-for"), request.client])
            ),
        }
        return to_raw(fixed[name]) if name in fixed else None

    def _argument(self, name: str) -> str:
        pairs = (pair.partition("=") for pair in self.args.split("&"))
        return next((value for key, mark, value in pairs if mark and key.lower() == name), "")

    def _cookie(self, name: str) -> str:
        """A cookie's value, as nginx finds it. Source: ngx_http_parse_multi_header_lines."""
        written = rf"(?:^|[;,]) *{re.escape(name)} *= *([^;]*)"
        found = re.search(written, self._header("cookie"), re.IGNORECASE)
        return found[1] if found else ""

    def _header(self, name: str) -> str:
        return self.request.host if name == "host" else self.request.headers.get(name, "")
