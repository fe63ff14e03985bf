"""Ports for the servers of tests."""

from __future__ import annotations

import os
import socket
from itertools import cycle
from random import SystemRandom

# Below the ports that the kernel gives to connections, and to whoever binds port 0: nobody else
# takes one between the choice and the server's start. Source: ip(7), ip_local_port_range.
_PORTS = range(20_000, 32_768)

# Each worker of a run has a share of its own: two tests at once never choose one port.
_SHARES = 16
_worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_share = list(_PORTS[_worker % _SHARES :: _SHARES])
SystemRandom().shuffle(_share)  # tests and their tools seed the common one, in every worker alike
_next_ports = cycle(_share)


def free_port() -> int:
    """Return a port on which nothing listens, another one each time."""
    return next(port for port in _next_ports if not _is_taken(port))


def _is_taken(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("", port))
        except OSError:
            return True
    return False
