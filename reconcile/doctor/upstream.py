"""The upstreams that servers pass requests to."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from reconcile.doctor.evidence import directive_evidence
from reconcile.nginx.model.config_tree import ConfigTree, Directive, named
from reconcile.nginx.model.scope import PASSES, Scope
from reconcile.nginx.routing.servers import Server

_LOCAL = ("127.0.0.1", "localhost", "[::1]", "0.0.0.0")  # noqa: S104  as it may be written
_TARGET = re.compile(r"^(?:[a-z]+://)?(.*)$")


@dataclass(frozen=True)
class ProxyLocation:
    """A location that passes requests on; `targets` are `unix:/path` or `host:port`."""

    server: Server
    scope: Scope
    directive: Directive
    targets: tuple[str, ...]

    @property
    def place(self) -> str:
        """File and line of the directive."""
        return self.directive.place

    @property
    def evidence(self) -> str:
        """The directive as the configuration has it, with its file and line."""
        return directive_evidence(self.directive)


def proxy_locations(servers: Iterable[Server], tree: ConfigTree) -> Iterator[ProxyLocation]:
    """Every location that passes requests on; targets with variables are left out."""
    groups = dict(_groups(tree))
    for server in servers:
        for scope in server.scope.inward():
            for name in PASSES & scope.own.keys():
                directive = scope.own[name][-1]
                yield ProxyLocation(server, scope, directive, tuple(_targets(directive, groups)))


def _groups(tree: ConfigTree) -> Iterator[tuple[str, tuple[str, ...]]]:
    for http in named(tree.directives, "http"):
        for group in named(tree.children(http), "upstream"):
            members = named(tree.children(group), "server")
            if group.args:
                used = (one for one in members if one.args and "down" not in one.args)
                yield group.args[0], tuple(one.args[0] for one in used)


def _targets(directive: Directive, groups: dict[str, tuple[str, ...]]) -> Iterator[str]:
    match = _TARGET.match(directive.args[0])
    written = match[1] if match else ""
    if "$" in written:
        return
    for target in groups.get(written.partition("/")[0], (written,)):
        yield _normalized(target)


def _normalized(target: str) -> str:
    if target.startswith("unix:"):
        return "unix:" + target.removeprefix("unix:").partition(":")[0]
    host = target.partition("/")[0]
    return host if re.search(r":\d+$", host) else f"{host}:80"


def local_port(target: str) -> int:
    """The port of a target on this machine; 0 for another machine or a Unix socket."""
    host, _, port = target.rpartition(":")
    return int(port) if host in _LOCAL and port.isdigit() else 0


def socket_path(target: str) -> str:
    """The path of a Unix socket; "" for any other target."""
    return target.removeprefix("unix:") if target.startswith("unix:") else ""
