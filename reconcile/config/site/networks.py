"""Lists of networks: each is named once, and they are not everybody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network, IPv6Network, collapse_addresses, ip_network

from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc


def check_networks(
    here: Loc, networks: Sequence[str], consequence: str, fix: str
) -> Iterator[Violation]:
    """`consequence` follows "is everybody": what it would mean where one of them is, or all."""
    everybody = [index for index, network in enumerate(networks) if network.endswith("/0")]
    for index in everybody:
        yield Violation((*here, index), f"{networks[index]} is everybody{consequence}", fix)
    if not everybody and _cover_everybody(networks):
        yield Violation(here, f"together this is everybody{consequence}", fix)
    for index, network in enumerate(networks):
        if network in networks[:index]:
            message = f"duplicate network {network}"
            yield Violation((*here, index), message, "remove it", is_independent=True)


def _cover_everybody(networks: Sequence[str]) -> bool:
    found = [ip_network(network) for network in networks]
    ipv4 = [one for one in found if isinstance(one, IPv4Network)]
    ipv6 = [one for one in found if isinstance(one, IPv6Network)]
    return any(one.prefixlen == 0 for one in collapse_addresses(ipv4)) or any(
        one.prefixlen == 0 for one in collapse_addresses(ipv6)
    )
