"""What of a configuration that is not ours touches our sites; told, never mended."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconcile.engine.model import Finding
from reconcile.nginx.model.listen import Address, listens_of
from reconcile.nginx.model.tree import ConfigTree
from reconcile.nginx.render.render import is_managed
from reconcile.nginx.routing.location_match import Indeterminate
from reconcile.nginx.routing.router import Router
from reconcile.nginx.routing.servers import Server
from reconcile.nginx.server_name_conflicts import NameConflict, name_conflicts

_LEFTOVER = re.compile(r"(?:~|\.(?:bak|old|orig|save|swp|rej|dpkg-\w+|ucf-\w+|rpm\w+))$|^#.*#$")
_ODD = {b"\xef\xbb\xbf": "a byte order mark", b"\xc2\xa0": "a no-break space"}


def config_warnings(tree: ConfigTree, router: Router) -> Iterator[Finding]:
    """Names that are claimed twice, servers that capture our names, and stray files."""
    for conflict in _distinct_conflicts(tree):
        yield from _claimed_twice(conflict)
    for server in router.servers.servers:
        if is_managed(tree.files[server.scope.directive.file].data):
            yield from _captured(tree, router, server)
    yield from stray_files(tree)


def _distinct_conflicts(tree: ConfigTree) -> tuple[NameConflict, ...]:
    """A conflict over v4 and v6 is one to a person."""
    told = {(c.name, c.winner.place, c.loser.place): c for c in reversed(name_conflicts(tree))}
    return tuple(reversed(told.values()))


def _claimed_twice(conflict: NameConflict) -> Iterator[Finding]:
    evidence = (
        f"{conflict.winner.place}: answers on {conflict.address}",
        f"{conflict.loser.place}: is ignored there",
    )
    if conflict.loser_is_managed and not conflict.winner_is_managed:
        yield Finding(
            "dup-server",
            "error",
            f"Another site already answers for {conflict.name}, and nginx would ignore ours.",
            evidence,
            f"Remove that name (or the whole site) at {conflict.winner.place}, "
            "or take it out of reconcile.yaml. Apply refuses until then.",
        )
    elif conflict.winner_is_managed and not conflict.loser_is_managed:
        yield Finding(
            "dup-server",
            "warning",
            f"We take {conflict.name} from another site, which nginx then ignores for it.",
            evidence,
            f"Remove that name (or the whole site) at {conflict.loser.place}.",
        )


def _captured(tree: ConfigTree, router: Router, server: Server) -> Iterator[Finding]:
    """Addresses of our ports where nginx does not even look at our names."""
    ports = {listen.address.port for listen in server.listens}
    ours = {listen.address for listen in server.listens}
    others = {listen.address for listen in listens_of(tree)} - ours
    names = [name for name in server.names if name and not name.startswith(("~", "*", "."))]
    for address in sorted(others):
        if address.port in ports and names:
            taker = _taker(router, address, names[0])
            if taker and not is_managed(tree.files[taker.scope.directive.file].data):
                yield _capture(server, taker, names[0], address)


def _taker(router: Router, address: Address, name: str) -> Server | None:
    """Who answers to `name` there; None where a regex decides that we cannot read."""
    try:
        return router.servers.find(address, name).server
    except Indeterminate:
        return None


def _capture(server: Server, taker: Server, name: str, address: Address) -> Finding:
    return Finding(
        "default-server-capture",
        "warning",
        f"Another server answers for {name} on {address}.",
        (
            f"{server.place}: does not listen on {address}",
            f"{taker.place}: answers there",
        ),
        f'Add "{address}" to the listen of the site in reconcile.yaml, '
        f"or remove that listen at {taker.place}.",
    )


def stray_files(tree: ConfigTree) -> Iterator[Finding]:
    """Leftovers that nginx reads like any site, and bytes that it takes for part of a word."""
    for include in tree.includes.values():
        for path in include.paths if include.is_glob else ():
            if _LEFTOVER.search(path.rpartition("/")[2]):
                yield _stray_finding(
                    f"{path} looks like a leftover, and nginx reads it.",
                    "what sorts first wins its names",
                    f"Move it out of {path.rpartition('/')[0]}.",
                )
    for path, file in tree.files.items():
        for line, called in odd_bytes(file.data):
            yield _stray_finding(
                f"{path}:{line} holds {called}.",
                "nginx takes it for part of a word",
                f"Remove it at {path}:{line}.",
            )


def _stray_finding(what: str, evidence: str, fix: str) -> Finding:
    return Finding("sites-enabled-hygiene", "warning", what, (evidence,), fix)


def odd_bytes(data: bytes) -> Iterator[tuple[int, str]]:
    """The first line of each sort that nginx would stumble over; in a comment it does no harm."""
    for mark, called in _ODD.items():
        at = data.find(mark)
        if at >= 0 and b"#" not in data[data.rfind(b"\n", 0, at) + 1 : at]:
            yield 1 + data.count(b"\n", 0, at), called
