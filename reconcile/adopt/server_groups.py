"""Groups server blocks into sites: blocks that share a name belong groups."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reconcile.adopt.served_folders import ServedFolder, served_folders
from reconcile.adopt.upstream_app import RequestFactory, UpstreamLocation, find_upstream
from reconcile.nginx.model.config_tree import ConfigTree
from reconcile.nginx.routing.router import Router
from reconcile.nginx.routing.servers import Server

_ANY = frozenset(["", "_"])


@dataclass(frozen=True)
class ServerBlock:
    """One server block with its upstream and folders."""

    server: Server
    upstream: UpstreamLocation | None
    folders: tuple[ServedFolder, ...]
    is_reached: bool = True
    """Whether any request is known to reach it."""

    @property
    def serves(self) -> bool:
        """Whether it serves an app or files."""
        return bool(self.upstream or self.folders)

    @property
    def uses_tls(self) -> bool:
        """Whether it listens with TLS."""
        return any(listen.ssl for listen in self.server.listens)


@dataclass(frozen=True)
class ServerGroup:
    """The server blocks of one site: the main one, and others with the same names."""

    main: ServerBlock
    others: tuple[ServerBlock, ...]


def server_blocks(router: Router, tree: ConfigTree) -> tuple[ServerBlock, ...]:
    """Return all server blocks, in the order of the files."""
    requests = RequestFactory(router)
    return tuple(
        ServerBlock(
            server,
            find_upstream(server, router, tree, requests),
            tuple(served_folders(server)),
            requests.build(server, "/") is not None,
        )
        for server in router.servers.servers
    )


def server_groups(blocks: Iterable[ServerBlock]) -> tuple[ServerGroup, ...]:
    """Group blocks by name, in file order; a block without a name forms its own group."""
    groups: list[list[ServerBlock]] = []
    for block in blocks:
        names = _names_of(block)
        matching = [one for one in groups if any(names & _names_of(other) for other in one)]
        rest = [one for one in groups if one not in matching]
        groups = [*rest, [*(other for one in matching for other in one), block]]
    return tuple(map(_group, sorted(groups, key=lambda one: _source_position(one[0]))))


def _names_of(block: ServerBlock) -> frozenset[str]:
    return frozenset(name.lower() for name in block.server.names) - _ANY


def _source_position(block: ServerBlock) -> tuple[str, int]:
    directive = block.server.scope.directive
    return directive.file, directive.start


def _group(members: list[ServerBlock]) -> ServerGroup:
    main = max(members, key=lambda one: (one.serves, one.uses_tls))
    return ServerGroup(main, tuple(one for one in members if one is not main))
