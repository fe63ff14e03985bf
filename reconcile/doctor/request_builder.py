"""Build requests that are certain to reach a given server, as visitors send them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice
from typing import Literal

from reconcile.doctor.regex_examples import matching_texts
from reconcile.nginx.model.listen import Listen
from reconcile.nginx.routing.indeterminate import Indeterminate
from reconcile.nginx.routing.request import Request
from reconcile.nginx.routing.servers import Server, ServerTable

_UNCLAIMED = ("localhost", "reconcile.invalid", "")
"""Names that usually no server has, so that they reach the default one."""
_LABELS = ("reconcile", "reconcile-canary")
_SUFFIXES = ("test", "invalid")
_MAX_EXAMPLES = 20


def example_names(server: Server) -> Iterator[str]:
    """Names that match its server_name, plain ones first; another server may still have them."""
    return chain.from_iterable(map(_examples, sorted(server.names, key=_pattern_rank)))


def is_plain_name(name: str) -> bool:
    """Whether it is a single name that visitors can type, not a pattern."""
    return name not in ("", "_") and _pattern_rank(name) == 0


def _pattern_rank(name: str) -> int:
    return 2 if name.startswith("~") else int("*" in name)


def _examples(name: str) -> Iterator[str]:
    if name in ("", "_"):
        return iter(())
    if name.startswith("~"):
        return islice(matching_texts(name[1:]), _MAX_EXAMPLES)
    if name.startswith("*."):
        return (f"{label}{name[1:]}" for label in _LABELS)
    if name.endswith(".*"):
        return (f"{name[:-1]}{suffix}" for suffix in _SUFFIXES)
    return iter((name.removeprefix("."),))


class RequestBuilder:
    """The host names by which the servers of a configuration are reached."""

    def __init__(self, table: ServerTable) -> None:
        self._table = table
        self._known: dict[tuple[Server, Listen], str | None] = {}

    def reachable_name(self, server: Server) -> str:
        """One of its own names that leads to it; "" where none is known."""
        return next((name for name in example_names(server) if self._is_reached(server, name)), "")

    def _is_reached(self, server: Server, name: str) -> bool:
        return any(self.reaches(server, on, name) for on in server.listens)

    def host_header(self, server: Server, listen: Listen) -> str | None:
        """A Host header that leads to it on that address; None where none is known."""
        key = (server, listen)
        if key not in self._known:
            hosts = chain(example_names(server), _UNCLAIMED, {"_"} & {*server.names})
            found = (host for host in hosts if self.reaches(server, listen, host))
            self._known[key] = next(found, None)
        return self._known[key]

    def visitor_host(self, server: Server, listen: Listen) -> str:
        """The Host header of its visitors, whichever server answers; "" where none is known."""
        plain = (name.removeprefix(".") for name in server.names if is_plain_name(name))
        return self.host_header(server, listen) or next(plain, "")

    def reaches(self, server: Server, listen: Listen, host: str) -> bool:
        """Whether `host` on that address leads to `server`; False where it is indeterminate."""
        try:
            return self._table.find(listen.address.local, host).server is server
        except Indeterminate:
            return False

    def request(
        self, server: Server, uri: str, host: str = "", *, prefers_tls: bool = False
    ) -> Request | None:
        """A request that reaches `server`, by `host` if given; None where none can.

        Errors: Indeterminate where one may exist, but none is known.
        """
        for listen in sorted(server.listens, key=lambda one: one.ssl != prefers_tls):
            if host:
                found = host if self.reaches(server, listen, host) else None
            else:
                found = self.host_header(server, listen)
            if found is not None:
                return build_request(uri, listen, found)
        if all(_pattern_rank(name) == 0 for name in server.names):
            # Other servers have all its names, which the rule dup-server reports.
            return None
        raise Indeterminate(f"no name is known that leads to {' '.join(server.names)}")


def build_request(uri: str, listen: Listen, host: str) -> Request:
    """A visitor's request for `host` to that address."""
    scheme: Literal["http", "https"] = "https" if listen.ssl else "http"
    return Request(uri, host=host, address=listen.address.local, scheme=scheme)
