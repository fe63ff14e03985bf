"""What a server listens on, as `listen` of the YAML says it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from reconcile.adopt.draft import Draft
from reconcile.adopt.server_groups import Block, Group
from reconcile.config.document import Loc
from reconcile.nginx.model.listen import ANY_IPV4, ANY_IPV6, Listen

_TLS_PORT = 443
_SAID = re.compile(r"default_server|default|ssl|http2|ipv6only=(on|off)")


def adopt_listens(group: Group, draft: Draft, site: str, *, ipv6: bool) -> None:
    """Ports, and addresses with ports; a bare port is one of both families."""
    at, tls = ("sites", site), group.main.speaks_tls
    listens = list(group.main.server.listens)
    for other in group.others if tls else ():
        listens += [one for one in other.server.listens if not one.ssl]
    for one in listens:
        if not one.address.port:
            draft.tell(one.place or "", f"the site cannot listen on {one.address.host}", at=at)
    # The last of one address stays: with HTTP/3 that is the one of HTTPS.
    known = {one.address: one for one in sorted(listens, key=_is_tls) if one.address.port}
    found = list(_values(sorted(known.values(), key=_is_tls), draft, at, ipv6=ipv6))
    values = list(dict.fromkeys(found))
    if values != ([80, _TLS_PORT] if tls else [80]):
        draft.sites[site]["listen"] = values
    if any(one.default_server for one in listens):
        draft.sites[site]["default_server"] = True
    _tell_parameters(group.main, draft, at)


def _is_tls(listen: Listen) -> bool:
    return listen.ssl


def _tell_parameters(block: Block, draft: Draft, at: Loc) -> None:
    for directive in block.server.scope.own.get("listen", []):
        rest = [word for word in directive.args[1:] if not _SAID.fullmatch(word)]
        if rest:
            what = f"listen {directive.args[0]} has more than the YAML can say: {' '.join(rest)}"
            draft.tell(directive.place, what, "Only the adopted file holds it.", at=at)


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
