"""The sockets that accepted connections of ours, each by one question to the kernel.

A reading of /proc/net/tcp walks the kernel's whole table, 30 ms on a machine with much memory; that
is the fallback, where a unit or a sandbox forbids netlink, or the kernel has no `tcp_diag`.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

_NETLINK_SOCK_DIAG, _SOCK_DIAG_BY_FAMILY, _REQUEST = 4, 20, 1
_HEADER = struct.Struct("=IHHII")
_ANY_STATE = _NO_COOKIE = 0xFFFFFFFF
_INODE = struct.Struct("=68xI")
"""In `struct inet_diag_msg`: what precedes `idiag_inode`."""
_TIMEOUT_S = 1.0
_TABLES = ("/proc/net/tcp", "/proc/net/tcp6")

Address = tuple[str, int]


class Connection(NamedTuple):
    """A TCP connection of this process, by its two ends."""

    own: Address
    peer: Address

    @classmethod
    def of(cls, sock: socket.socket) -> Connection:
        """That of a connected socket. Errors: OSError."""
        return cls(sock.getsockname()[:2], sock.getpeername()[:2])


def accepting_sockets(connections: Sequence[Connection]) -> dict[int, int]:
    """The inode of each socket of this machine that accepted one → the port at our end."""
    found = dict[int, int]()
    with suppress(OSError):
        found = dict(_asked(connections))
    return found or dict(_established(connections))


def _asked(connections: Iterable[Connection]) -> Iterator[tuple[int, int]]:
    """Source: sock_diag(7)."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, _NETLINK_SOCK_DIAG) as kernel:
        kernel.settimeout(_TIMEOUT_S)
        for connection in connections:
            kernel.send(_request(connection))
            answer = kernel.recv(4096)
            if _HEADER.unpack_from(answer)[1] == _SOCK_DIAG_BY_FAMILY:
                yield _INODE.unpack_from(answer, _HEADER.size)[0], connection.own[1]


def _request(connection: Connection) -> bytes:
    """The accepting socket has our peer as its own end. Source: linux/inet_diag.h."""
    own, peer = connection.peer, connection.own
    family = socket.AF_INET6 if ":" in own[0] else socket.AF_INET
    addresses = (socket.inet_pton(family, host).ljust(16, b"\0") for host, _ in (own, peer))
    wanted = struct.pack("=BBHI", family, socket.IPPROTO_TCP, 0, _ANY_STATE)
    ends = struct.pack("!HH", own[1], peer[1]) + b"".join(addresses)
    body = wanted + ends + struct.pack("=III", 0, _NO_COOKIE, _NO_COOKIE)
    return _HEADER.pack(_HEADER.size + len(body), _SOCK_DIAG_BY_FAMILY, _REQUEST, 1, 0) + body


def _established(connections: Sequence[Connection]) -> Iterator[tuple[int, int]]:
    """Source: proc(5), /proc/net/tcp: addresses in hex, state 01, the inode as tenth field."""
    pairs = {(one.peer[1], one.own[1]) for one in connections}
    for table in _TABLES:
        with suppress(OSError), open(table, encoding="ascii") as lines:
            for row in map(str.split, lines):
                if row[3] == "01" and (_port(row[1]), client := _port(row[2])) in pairs:
                    yield int(row[9]), client


def _port(address: str) -> int:
    return int(address.rpartition(":")[2], 16)
