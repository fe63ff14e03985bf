"""Ports for the servers of tests."""

from __future__ import annotations

import socket
from random import SystemRandom

# Below the ports that the kernel gives to connections, and to whoever binds port 0: nobody else
# takes one between the choice and the server's start. Source: ip(7), ip_local_port_range.
_PORTS = range(20_000, 32_768)
_chance = SystemRandom()  # tests and their tools seed the common one, in every worker alike


def free_port() -> int:
    """Return a port on which nothing listens, another one each time."""
    while _is_taken(port := _chance.choice(_PORTS)):
        pass
    return port


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return True
    return False
