"""Which names the host resolves itself, and whom it asks for others."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address


def resolvers(resolv_conf: str) -> tuple[str, ...]:
    """The name servers of /etc/resolv.conf, IPv6 in brackets. Source: resolv.conf(5)."""
    return tuple(dict.fromkeys(_resolvers(resolv_conf)))


def _resolvers(resolv_conf: str) -> Iterator[str]:
    for line in resolv_conf.splitlines():
        words = line.split()
        if len(words) < 2 or words[0] != "nameserver":
            continue
        try:
            address = ip_address(words[1])
        except ValueError:
            # Such as an address with a zone, which nginx cannot use.
            continue
        if "%" not in words[1]:
            yield f"[{address}]" if address.version == 6 else str(address)


def local_names(hosts: str) -> frozenset[str]:
    """The names of /etc/hosts, in lower case. Source: hosts(5)."""
    lines = (line.partition("#")[0].split()[1:] for line in hosts.splitlines())
    return frozenset(name.lower() for names in lines for name in names)
