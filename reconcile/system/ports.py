"""Which addresses can be bound, and who holds those that can't."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import suppress
from ipaddress import ip_address
from typing import NamedTuple

from reconcile.system.processes import parent

_LISTENING = "0A"


class PortHolder(NamedTuple):
    """A process that listens; `pid` 0 where we may not see whose socket it is."""

    host: str
    port: int
    pid: int
    program: str

    def __str__(self) -> str:
        who = f"{self.program} (pid {self.pid})" if self.pid else "another user's process"
        return f"{who} on {f'[{self.host}]' if ':' in self.host else self.host}:{self.port}"


def bind_error(host: str, port: int, *, v6only: bool = True) -> int:
    """The error number that binding a listener there gives now, 0 where it can be bound.

    Asked as nginx asks: with SO_REUSEADDR; nothing is accepted, nothing stays bound.
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
    """Everyone who listens on TCP `port`, on whichever address."""
    sockets = {inode: host for inode, host, found in _listeners() if found == port}
    owners = dict(_owners(frozenset(sockets))) if sockets else {}
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
    """Inode and process: of those that share it, the one that the others descend from."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    sharers: dict[int, dict[int, int]] = {}
    for pid in (int(name) for name in os.listdir("/proc") if name.isdigit()):
        # Processes end while we look, and other users' are closed to us.
        with suppress(OSError):
            for fd in os.scandir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    if inode := wanted.get(os.readlink(fd.path)):
                        sharers.setdefault(inode, {})[pid] = parent(pid)
    for inode, parents in sharers.items():
        yield inode, first_ancestor(parents)


def first_ancestor(parents: Mapping[int, int]) -> int:
    """The process of `parents` (pid → its parent) whose own parent is none of them."""
    # Numbers wrap around: a worker may have a lower one than its master.
    return min(pid for pid, above in parents.items() if above not in parents or above == pid)


def _program(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm") as comm:
            return comm.read().strip()
    except OSError:
        return ""
