"""Listening Unix sockets, and the processes that hold sockets or accepted connections."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from posixpath import basename, join, normpath

from reconcile.system import sock_diag
from reconcile.system.process_info import cwd_of
from reconcile.system.processes import pids

CONNECT_TIMEOUT_S = 1.0
_LISTENS = 0x10000


def listening_at(path: str) -> tuple[int, ...]:
    """The inodes of the Unix sockets that listen at `path`.

    Source: proc(5), /proc/net/unix: the flag __SO_ACCEPTCON.
    """
    return tuple(inode for inode, name in _listening() if name == path)


def _listening() -> list[tuple[int, str]]:
    """Inode and name of each; the name is as bound, which may be a relative path."""
    with open("/proc/net/unix", encoding="utf-8", errors="surrogateescape") as table:
        next(table)
        rows = [line.rstrip("\n").split(maxsplit=7) for line in table]
    return [(int(row[6]), row[7]) for row in rows if row[7:] and int(row[3], 16) & _LISTENS]


def holders_at(path: str) -> tuple[int, ...]:
    """The processes that listen at the Unix socket `path`, lowest pid first.

    Includes those that bound it by a path relative to their directory; processes of other users
    are visible to root only.
    """
    return holders_of(listening_at(path)) or tuple(sorted(_beside(path)))


def _beside(path: str) -> Iterator[int]:
    for inode, name in _listening():
        if name[0] not in "/@" and basename(name) == basename(path):
            holders = holders_of((inode,))
            yield from (pid for pid in holders if normpath(join(cwd_of(pid), name)) == path)


def holders_of(inodes: Iterable[int]) -> tuple[int, ...]:
    """The processes that hold one of these sockets, lowest pid first, as far as visible."""
    return tuple(sorted({pid for _, pid in socket_owners(frozenset(inodes))}))


def socket_owners(inodes: frozenset[int]) -> Iterator[tuple[int, int]]:
    """Inode and pid of each process that holds one of these sockets, highest pid first."""
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    for pid in sorted(pids() if wanted else (), reverse=True):
        # Processes may end meanwhile, and those of other users are hidden.
        with suppress(OSError):
            for fd in os.scandir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    if inode := wanted.get(os.readlink(fd.path)):
                        yield inode, pid


def accepted_by(
    candidates: Iterable[int], connections: Sequence[sock_diag.Connection]
) -> dict[int, int]:
    """Our port of each connection to this machine → the process that has it.

    Only `candidates` are looked at; those of other users are visible to root only.
    """
    accepting = sock_diag.accepting_sockets(connections)
    ports = {f"socket:[{inode}]": port for inode, port in accepting.items()}
    owners: dict[int, int] = {}
    for pid in candidates if ports else ():
        with suppress(OSError):
            for fd in os.scandir(f"/proc/{pid}/fd"):
                with suppress(OSError):
                    if (port := ports.get(os.readlink(fd.path))) is not None:
                        owners[port] = pid
    return owners


def is_socket(path: str) -> bool:
    """Whether `path` is a socket."""
    with suppress(OSError):
        return stat.S_ISSOCK(os.stat(path).st_mode)
    return False


def connects(*addresses: str | tuple[str, int]) -> bool:
    """Whether one of these accepts a connection: the path of a Unix socket, or address and port.

    Nothing is sent. Units: at most CONNECT_TIMEOUT_S each.
    """
    return any(_connects(address) for address in addresses)


def _connects(address: str | tuple[str, int]) -> bool:
    if isinstance(address, str):
        family = socket.AF_UNIX
    else:
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.settimeout(CONNECT_TIMEOUT_S)
            probe.connect(address)
    except PermissionError:
        return True  # Only an existing socket can deny access.
    except OSError:
        return False
    return True
