"""A host of the fleet: its tags, the values of its variables, and how pyinfra reaches it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field
from typing import Any

from reconcile.dataclass import dataclass
from reconcile.fleet.fleet_file import FleetHost


@dataclass(frozen=True)
class Target:
    """One host, without its connection."""

    name: str
    tags: frozenset[str] = frozenset()
    variables: Mapping[str, str | int | bool] = field(default_factory=dict)
    uses_sudo: bool = True


def target_of(name: str, host: FleetHost) -> Target:
    """The host as fleet.yaml lists it."""
    return Target(name, frozenset(host.tags), host.vars, host.sudo)


def connection_of(name: str, host: FleetHost) -> tuple[str, dict[str, Any]]:
    """The name by which pyinfra finds the connector, and the data that it needs."""
    if host.ssh is not None:
        return name, _ssh_data(host, host.ssh)
    if host.local:
        return "@local", {}
    kind = host.connections[0]
    return f"@{kind}/{getattr(host, kind)}", {}


def _ssh_data(host: FleetHost, address: str) -> dict[str, Any]:
    user, _, rest = address.rpartition("@")
    name, port = rest, ""
    if rest.startswith("["):
        name, _, port = rest[1:].partition("]")
        port = port.removeprefix(":")
    elif ":" in rest:
        name, _, port = rest.partition(":")
    data = {
        "ssh_hostname": name,
        "ssh_user": user,
        "ssh_port": host.port or int(port or 0),
        "ssh_key": host.ssh_key or "",
        "ssh_known_hosts_file": host.known_hosts or "",
    }
    return {key: value for key, value in data.items() if value}
