"""Warnings about unmanaged configuration that affects managed sites."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconcile.engine.model import Finding
from reconcile.nginx.model.config_tree import ConfigTree
from reconcile.nginx.model.listen import Address, listens_of
from reconcile.nginx.render.site_config import is_managed
from reconcile.nginx.routing.indeterminate import Indeterminate
from reconcile.nginx.routing.router import Router
from reconcile.nginx.routing.servers import Server
from reconcile.nginx.server_name_conflicts import NameConflict, name_conflicts

_LEFTOVER = re.compile(r"(?:~|\.(?:bak|old|orig|save|swp|rej|dpkg-\w+|ucf-\w+|rpm\w+))$|^#.*#$")
_INVISIBLE = {b"\xef\xbb\xbf": "a byte order mark", b"\xc2\xa0": "a no-break space"}


def config_warnings(tree: ConfigTree, router: Router) -> Iterator[Finding]:
    """Yield duplicate names, servers that capture managed names, and leftover files."""
    for conflict in _distinct_conflicts(tree):
        yield from _duplicate_name(conflict)
    listened = frozenset(listen.address for listen in listens_of(tree))
    for server in router.servers.servers:
        if is_managed(tree.files[server.scope.directive.file].data):
            yield from _capture_warnings(tree, router, server, listened)
    yield from hygiene_warnings(tree)


def _distinct_conflicts(tree: ConfigTree) -> tuple[NameConflict, ...]:
    """Return the conflicts, one for both IP versions."""
    by_places: dict[tuple[str, str, str], NameConflict] = {}
    for conflict in name_conflicts(tree):
        key = (conflict.name, conflict.winner.place, conflict.loser.place)
        by_places.setdefault(key, conflict)
    return tuple(by_places.values())


def _duplicate_name(conflict: NameConflict) -> Iterator[Finding]:
    evidence = (
        f"{conflict.winner.place}: answers on {conflict.address}",
        f"{conflict.loser.place}: is ignored there",
    )
    if conflict.loser_is_managed and not conflict.winner_is_managed:
        yield Finding(
            "dup-server",
            "error",
            f"Another server already answers for {conflict.name}; nginx would ignore this site.",
            evidence,
            f"Remove the name (or the whole server) at {conflict.winner.place}, "
            "or remove it from reconcile.yaml. Until then apply is refused.",
        )
    elif conflict.winner_is_managed and not conflict.loser_is_managed:
        yield Finding(
            "dup-server",
            "warning",
            f"This site takes {conflict.name} from another server, which nginx then ignores.",
            evidence,
            f"Remove the name (or the whole server) at {conflict.loser.place}.",
        )


def _capture_warnings(
    tree: ConfigTree, router: Router, server: Server, listened: frozenset[Address]
) -> Iterator[Finding]:
    """Yield the addresses of the server's ports where another server answers its names."""
    ports = {listen.address.port for listen in server.listens}
    addresses = {listen.address for listen in server.listens}
    others = listened - addresses
    names = [name for name in server.names if name and not name.startswith(("~", "*", "."))]
    for address in sorted(others):
        if address.port in ports and names:
            other = _answering_server(router, address, names[0])
            if other and not is_managed(tree.files[other.scope.directive.file].data):
                yield _capture_warning(server, other, names[0], address)


def _answering_server(router: Router, address: Address, name: str) -> Server | None:
    """The server that answers `name` there; None where a regex cannot be evaluated."""
    try:
        return router.servers.find(address, name).server
    except Indeterminate:
        return None


def _capture_warning(server: Server, other: Server, name: str, address: Address) -> Finding:
    return Finding(
        "default-server-capture",
        "warning",
        f"Another server answers for {name} on {address}.",
        (
            f"{server.place}: does not listen on {address}",
            f"{other.place}: answers there",
        ),
        f'Add "{address}" to the listen of the site in reconcile.yaml, '
        f"or remove that listen at {other.place}.",
    )


def hygiene_warnings(tree: ConfigTree) -> Iterator[Finding]:
    """Yield leftover files that nginx reads, and invisible bytes in its words."""
    for include in tree.includes.values():
        for path in include.paths if include.is_glob else ():
            if _LEFTOVER.search(path.rpartition("/")[2]):
                yield _hygiene_warning(
                    f"{path} looks like a leftover, but nginx reads it.",
                    "the file that sorts first wins",
                    f"Move it out of {path.rpartition('/')[0]}.",
                )
    for path, file in tree.files.items():
        for line, name in invisible_bytes(file.data):
            yield _hygiene_warning(
                f"{path}:{line} contains {name}.",
                "nginx treats it as part of a word",
                f"Remove it at {path}:{line}.",
            )


def _hygiene_warning(what: str, evidence: str, fix: str) -> Finding:
    return Finding("sites-enabled-hygiene", "warning", what, (evidence,), fix)


def invisible_bytes(data: bytes) -> Iterator[tuple[int, str]]:
    """Yield the first line with each kind of invisible byte outside of comments."""
    for mark, name in _INVISIBLE.items():
        at = data.find(mark)
        if at >= 0 and b"#" not in data[data.rfind(b"\n", 0, at) + 1 : at]:
            yield 1 + data.count(b"\n", 0, at), name
