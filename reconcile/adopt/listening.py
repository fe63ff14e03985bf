"""What a server listens on, as `listen` of the YAML says it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from reconcile.adopt.draft import Draft
from reconcile.nginx.config.listen import ANY_IPV4, ANY_IPV6, Listen
from reconcile.spec.nodes import Loc

_TLS_PORT = 443


def listen_values(listens: Iterable[Listen], draft: Draft, at: Loc, *, ipv6: bool) -> list[object]:
    """Ports, and addresses with ports; a bare port is one of both families."""
    known = {one.address: one for one in listens if one.address.port}
    for one in listens:
        if not one.address.port:
            draft.tell(one.place or "", f"the site cannot listen on {one.address.host}", at=at)
    found = list(_values(known.values(), draft, at, ipv6=ipv6))
    return list(dict.fromkeys(found))


def _values(listens: Iterable[Listen], draft: Draft, at: Loc, *, ipv6: bool) -> Iterator[object]:
    listens = tuple(listens)
    for one in listens:
        port, host = one.address.port, one.address.host
        families = {other.address.host for other in listens if other.address.port == port} | (
            {ANY_IPV4} if not one.ipv6only else set()
        )
        suffix = " ssl" if one.ssl and port != _TLS_PORT else ""
        if one.address.is_wildcard and (not ipv6 or {ANY_IPV4, ANY_IPV6} <= families):
            yield f"{port}{suffix}" if suffix else port
            continue
        if one.address.is_wildcard:
            family, other = ("IPv4", "IPv6") if host == ANY_IPV4 else ("IPv6", "IPv4")
            draft.remark(at, f"Port {port} over {family} only; write {port} to have {other} too.")
        yield f"{f'[{host}]' if ':' in host else host}:{port}{suffix}"


def said_by_default(values: list[object], *, tls: bool) -> bool:
    """Whether leaving `listen` out says the same."""
    return values == ([80, _TLS_PORT] if tls else [80])
