"""Which addresses can be bound, and which processes hold the others."""

from __future__ import annotations

import errno
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import NamedTuple

from reconcile.system.processes import parent
from reconcile.system.sockets import socket_owners

_LISTENING = "0A"


class PortHolder(NamedTuple):
    """A process that listens; `pid` is 0 where its owner is not visible to this user."""

    host: str
    port: int
    pid: int
    program: str

    def __str__(self) -> str:
        who = f"{self.program} (pid {self.pid})" if self.pid else "another user's process"
        return f"{who} on {f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def bind_error(host: str, port: int, *, v6only: bool = True) -> int:
    """The error number of binding a listener there now; 0 where it can be bound.

    Binds as nginx does, with SO_REUSEADDR; accepts nothing, and closes the socket again.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
            probe.bind((host, port))
    except OSError as error:
        return error.errno or errno.EIO
    return 0


def holders(port: int) -> tuple[PortHolder, ...]:
    """The processes that listen on TCP `port`, on any address."""
    sockets = {inode: host for inode, host, found in _listeners() if found == port}
    owners = dict(_owners(frozenset(sockets)))
    return tuple(
        PortHolder(host, port, owners.get(inode, 0), _program(owners.get(inode, 0)))
        for inode, host in sorted(sockets.items())
    )


def _listeners() -> Iterator[tuple[int, str, int]]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with suppress(FileNotFoundError), open(table) as lines:
            next(lines)
            for line in lines:
                words = line.split()
                if words[3] == _LISTENING:
                    host, _, port = words[1].partition(":")
                    yield int(words[9]), _address(host), int(port, 16)


def _address(digits: str) -> str:
    """The kernel prints each 32-bit word in the byte order of the machine."""
    words = (digits[at : at + 8] for at in range(0, len(digits), 8))
    return str(ip_address(b"".join(socket.htonl(int(w, 16)).to_bytes(4, "big") for w in words)))


def _owners(inodes: frozenset[int]) -> Iterator[tuple[int, int]]:
    """Inode and pid: of processes that share a socket, the one that the others descend from."""
    sharers: dict[int, dict[int, int]] = {}
    for inode, pid in socket_owners(inodes):
        sharers.setdefault(inode, {})[pid] = parent(pid)
    for inode, parents in sharers.items():
        yield inode, first_ancestor(parents)


def first_ancestor(parents: Mapping[int, int]) -> int:
    """The process of `parents` (pid → its parent) whose own parent is none of them."""
    # Pids wrap around: a worker may have a lower one than its master.
    return min(pid for pid, above in parents.items() if above not in parents or above == pid)


def _program(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm") as comm:
            return comm.read().strip()
    except OSError:
        return ""
