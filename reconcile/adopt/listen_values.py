"""Conversion of nginx listen directives into the YAML's `listen`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from reconcile.adopt.draft import Draft
from reconcile.adopt.server_groups import ServerBlock, ServerGroup
from reconcile.config.document import Loc
from reconcile.nginx.model.listen import ANY_IPV4, ANY_IPV6, Listen

_TLS_PORT = 443
_COVERED = re.compile(r"default_server|default|ssl|http2|proxy_protocol|ipv6only=(on|off)")


def adopt_listens(group: ServerGroup, draft: Draft, site: str, *, ipv6: bool) -> None:
    """Set `listen`: ports, and addresses with ports; a bare port means IPv4 and IPv6."""
    at, tls = ("sites", site), group.main.uses_tls
    listens = list(group.main.server.listens)
    for other in group.others if tls else ():
        listens += [one for one in other.server.listens if not one.ssl]
    for one in listens:
        if not one.address.port:
            draft.add_note(one.place or "", f"the site cannot listen on {one.address.host}", at=at)
    # The last listen of an address wins: with HTTP/3 that is the HTTPS one.
    known = {one.address: one for one in sorted(listens, key=_is_tls) if one.address.port}
    found = list(_values(sorted(known.values(), key=_is_tls), draft, at, ipv6=ipv6))
    values = list(dict.fromkeys(found))
    if values != ([80, _TLS_PORT] if tls else [80]):
        draft.sites[site]["listen"] = values
    if any(one.default_server for one in listens):
        draft.sites[site]["default_server"] = True
    _note_parameters(group.main, draft, at)


def _is_tls(listen: Listen) -> bool:
    return listen.ssl


def _note_parameters(block: ServerBlock, draft: Draft, at: Loc) -> None:
    for directive in block.server.scope.own.get("listen", []):
        rest = [word for word in directive.args[1:] if not _COVERED.fullmatch(word)]
        if rest:
            what = f"listen {directive.args[0]} has parameters without a key: {' '.join(rest)}"
            draft.add_note(directive.place, what, "They remain in the adopted file.", at=at)


def _values(listens: Iterable[Listen], draft: Draft, at: Loc, *, ipv6: bool) -> Iterator[object]:
    listens = tuple(listens)
    for one in listens:
        port, host = one.address.port, one.address.host
        families = {other.address.host for other in listens if other.address.port == port} | (
            {ANY_IPV4} if not one.ipv6only else set()
        )
        suffix = " ssl" if one.ssl and port != _TLS_PORT else ""
        suffix += " proxy_protocol" if one.proxy_protocol else ""
        if one.address.is_wildcard and (not ipv6 or {ANY_IPV4, ANY_IPV6} <= families):
            yield f"{port}{suffix}" if suffix else port
            continue
        if one.address.is_wildcard:
            family, other = ("IPv4", "IPv6") if host == ANY_IPV4 else ("IPv6", "IPv4")
            draft.add_comment(
                at, f"Port {port} over {family} only; use {port} to listen on {other} too."
            )
        yield f"{f'[{host}]' if ':' in host else host}:{port}{suffix}"
