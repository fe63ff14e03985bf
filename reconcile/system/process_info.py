"""The service, ids, directory, output and environment of a process, from /proc."""

from __future__ import annotations

import os
import re
from contextlib import suppress

from reconcile.filesystem.access_check import MappedIds

_UNIT = re.compile(r"/([^/]+\.service)(?:/|$)")
# systemd passes descriptors and addresses to this one process.
_SYSTEMD_ONLY = ("LISTEN_", "NOTIFY_", "WATCHDOG_", "INVOCATION_", "JOURNAL_", "MAINPID")


def unit_of(pid: int) -> str:
    """The service whose control group `pid` is in; "" where it is in none."""
    with suppress(OSError), open(f"/proc/{pid}/cgroup") as groups:
        found = [match[1] for line in groups for match in _UNIT.finditer(line.strip())]
        return found[-1] if found else ""
    return ""


def ids_of(pid: int) -> tuple[int, int, frozenset[int]] | None:
    """The effective uid and gid of `pid` and all its groups; None where it does not exist."""
    with suppress(OSError), open(f"/proc/{pid}/status") as status:
        fields = dict(line.split(":", 1) for line in status if ":" in line)
        uid, gid = int(fields["Uid"].split()[1]), int(fields["Gid"].split()[1])
        return uid, gid, frozenset({gid, *map(int, fields["Groups"].split())})
    return None


def capabilities_of(pid: int) -> int | None:
    """The effective capabilities of `pid`, a bit for each; None where they cannot be read."""
    with suppress(OSError), open(f"/proc/{pid}/status") as status:
        return next((int(line[7:], 16) for line in status if line.startswith("CapEff:")), None)
    return None


def mapped_ids_of(pid: int) -> MappedIds | None:
    """The ids that the user namespace of `pid` has; None where it is in ours.

    Source: user_namespaces(7), "User and group ID mappings".
    """
    with suppress(OSError):
        own, its = (os.stat(f"/proc/{one}/ns/user").st_ino for one in ("self", pid))
        if own != its:
            return MappedIds(_id_ranges(pid, "uid_map"), _id_ranges(pid, "gid_map"))
    return None


def _id_ranges(pid: int, name: str) -> tuple[range, ...]:
    with open(f"/proc/{pid}/{name}") as lines:
        found = [[int(word) for word in line.split()] for line in lines]
    return tuple(range(outside, outside + count) for _, outside, count in found)


def root_of(pid: int) -> str:
    """Where the paths of `pid` start: `/proc/PID/root` where it sees other mounts than we do."""
    with suppress(OSError):
        own, its = (os.stat(f"/proc/{one}/ns/mnt").st_ino for one in ("self", pid))
        if own != its or os.readlink(f"/proc/{pid}/root") != "/":
            os.stat(f"/proc/{pid}/root/")
            return f"/proc/{pid}/root"
    return "/"


def cwd_of(pid: int) -> str:
    """The working directory of `pid`; "" where it cannot be read."""
    with suppress(OSError):
        return os.readlink(f"/proc/{pid}/cwd")
    return ""


def output_of(pid: int, stream: int = 1) -> str:
    """The target of the standard output (2: error) of `pid`: a path, `socket:[…]`, or ""."""
    with suppress(OSError):
        return os.readlink(f"/proc/{pid}/fd/{stream}")
    return ""


def environment_of(pid: int) -> dict[str, str]:
    """The environment that `pid` was started with; empty where it cannot be read."""
    with suppress(OSError), open(f"/proc/{pid}/environ", "rb") as file:
        lines = file.read().decode("utf-8", "surrogateescape").split("\0")
        pairs = (line.split("=", 1) for line in lines if "=" in line)
        return {name: value for name, value in pairs if not name.startswith(_SYSTEMD_ONLY)}
    return {}


def umask_of(pid: int) -> int | None:
    """The umask that `pid` creates files with; None where it cannot be read."""
    with suppress(OSError), open(f"/proc/{pid}/status") as status:
        found = [line.split()[1] for line in status if line.startswith("Umask:")]
        return int(found[0], 8) if found else None
    return None
