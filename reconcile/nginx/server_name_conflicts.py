"""Server names that two servers claim; nginx only warns about them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reconcile.nginx.model.config_tree import ConfigTree, Directive, named
from reconcile.nginx.model.listen import Address, listens_in
from reconcile.nginx.render.site_config import is_managed


@dataclass(frozen=True)
class NameConflict:
    """Two servers with one name on one address; nginx uses `winner`, which it read first."""

    name: str
    address: Address
    winner: Directive
    loser: Directive
    loser_is_managed: bool
    winner_is_managed: bool

    def __str__(self) -> str:
        return (
            f"{self.name} on {self.address} is claimed twice: nginx uses "
            f"{self.winner.place} and ignores {self.loser.place}"
        )


def name_conflicts(tree: ConfigTree) -> tuple[NameConflict, ...]:
    """Every name that two servers of `tree` claim on the same address, in nginx's order."""
    first: dict[tuple[str, Address], Directive] = {}
    found = []
    for name, address, server in _claims(tree):
        winner = first.setdefault((name, address), server)
        if winner is not server:
            managed = [is_managed(tree.files[side.file].data) for side in (winner, server)]
            found.append(NameConflict(name, address, winner, server, managed[1], managed[0]))
    return tuple(found)


def _claims(tree: ConfigTree) -> Iterator[tuple[str, Address, Directive]]:
    for server in tree.servers:
        inside = list(tree.children(server))
        names = [name.lower() for d in named(inside, "server_name") for name in d.args] or [""]
        for listen in listens_in([*named(inside, "listen")]):
            for name in dict.fromkeys(names):
                yield name, listen.address, server
