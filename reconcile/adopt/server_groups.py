"""Which server blocks are one site: those that share a name, as port 80 and 443 do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from reconcile.adopt.served_folders import Folder, folders
from reconcile.adopt.upstream_app import Behind, Requests, behind
from reconcile.nginx.model.tree import ConfigTree
from reconcile.nginx.routing.router import Router
from reconcile.nginx.routing.servers import Server

_ANY = frozenset(["", "_"])


@dataclass(frozen=True)
class Block:
    """One server block, and what it serves."""

    server: Server
    behind: Behind | None
    folders: tuple[Folder, ...]
    is_reached: bool = True
    """Whether a request is known that it answers."""

    @property
    def serves(self) -> bool:
        return bool(self.behind or self.folders)

    @property
    def speaks_tls(self) -> bool:
        return any(listen.ssl for listen in self.server.listens)


@dataclass(frozen=True)
class Group:
    """The blocks of one site: the one that serves it, and the others with its names."""

    main: Block
    others: tuple[Block, ...]


def blocks(router: Router, tree: ConfigTree) -> tuple[Block, ...]:
    requests = Requests(router)
    return tuple(
        Block(
            server,
            behind(server, router, tree, requests),
            tuple(folders(server)),
            requests.to(server, "/") is not None,
        )
        for server in router.servers.servers
    )


def groups(every: Iterable[Block]) -> tuple[Group, ...]:
    """In the order of the files; a block without a name of its own is a site of its own."""
    together: list[list[Block]] = []
    for block in every:
        names = _names(block)
        mates = [one for one in together if any(names & _names(other) for other in one)]
        rest = [one for one in together if one not in mates]
        together = [*rest, [*(other for one in mates for other in one), block]]
    return tuple(map(_group, sorted(together, key=lambda one: _place(one[0]))))


def _names(block: Block) -> frozenset[str]:
    return frozenset(name.lower() for name in block.server.names) - _ANY


def _place(block: Block) -> tuple[str, int]:
    directive = block.server.scope.directive
    return directive.file, directive.start


def _group(members: list[Block]) -> Group:
    main = max(members, key=lambda one: (one.serves, one.speaks_tls))
    return Group(main, tuple(one for one in members if one is not main))
