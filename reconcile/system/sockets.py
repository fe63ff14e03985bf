"""Unix sockets that are listened on, and the processes that hold them."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Iterator
from contextlib import suppress
from posixpath import basename, join, normpath

from reconcile.system.process_info import cwd_of

CONNECT_TIMEOUT_S = 1.0
_LISTENS = 0x10000


def listening_at(path: str) -> tuple[int, ...]:
    """Inodes of the unix sockets that listen under that name.

    Source: proc(5), /proc/net/unix: the flag __SO_ACCEPTCON.
    """
    return tuple(inode for inode, name in _listening() if name == path)


def _listening() -> list[tuple[int, str]]:
    """Inode and name of each; the name is what was bound, be it relative to a folder."""
    with open("/proc/net/unix", encoding="utf-8", errors="surrogateescape") as table:
        next(table)
        rows = [line.rstrip("\n").split(maxsplit=7) for line in table]
    return [(int(row[6]), row[7]) for row in rows if row[7:] and int(row[3], 16) & _LISTENS]


def holders_at(path: str) -> tuple[int, ...]:
    """The processes that listen at the unix socket `path`, lowest first, as far as we may see them.

    Also those that bound it by a name that starts at the folder they are in.
    """
    return holders_of(listening_at(path)) or tuple(sorted(_beside(path)))


def _beside(path: str) -> Iterator[int]:
    for inode, name in _listening():
        if name[0] not in "/@" and basename(name) == basename(path):
            holders = holders_of((inode,))
            yield from (pid for pid in holders if normpath(join(cwd_of(pid), name)) == path)


def holders_of(inodes: tuple[int, ...]) -> tuple[int, ...]:
    """The processes that hold one of these sockets, lowest first, as far as we may see them."""
    wanted = {f"socket:[{inode}]" for inode in inodes}
    return tuple(pid for pid in _pids() if wanted and _holds(pid, wanted))


def _pids() -> list[int]:
    return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())


def _holds(pid: int, wanted: set[str]) -> bool:
    # Processes end while we look, and other users' are closed to us.
    with suppress(OSError):
        for fd in os.scandir(f"/proc/{pid}/fd"):
            with suppress(OSError):
                if os.readlink(fd.path) in wanted:
                    return True
    return False


def is_socket(path: str) -> bool:
    """Whether a socket stands at `path`."""
    with suppress(OSError):
        return stat.S_ISSOCK(os.stat(path).st_mode)
    return False


def connects(*addresses: str | tuple[str, int]) -> bool:
    """Whether one of these takes a connection: the path of a unix socket, or address and port.

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
        return True  # Somebody has to be there to be kept from.
    except OSError:
        return False
    return True
