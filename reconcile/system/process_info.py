"""As whom a process really runs, which service it belongs to, where it works and prints."""

from __future__ import annotations

import os
import re
from contextlib import suppress

_UNIT = re.compile(r"/([^/]+\.service)(?:/|$)")


def unit_of(pid: int) -> str:
    """The service whose control group `pid` is in, "" where it is in none."""
    with suppress(OSError), open(f"/proc/{pid}/cgroup") as groups:
        found = [match[1] for line in groups for match in _UNIT.finditer(line.strip())]
        return found[-1] if found else ""
    return ""


def ids_of(pid: int) -> tuple[int, int, frozenset[int]] | None:
    """The effective uid and gid of `pid` and all its groups; None where it does not live."""
    with suppress(OSError), open(f"/proc/{pid}/status") as status:
        fields = dict(line.split(":", 1) for line in status if ":" in line)
        uid, gid = int(fields["Uid"].split()[1]), int(fields["Gid"].split()[1])
        return uid, gid, frozenset({gid, *map(int, fields["Groups"].split())})
    return None


def cwd_of(pid: int) -> str:
    """The folder that `pid` works in, "" where we may not see it."""
    with suppress(OSError):
        return os.readlink(f"/proc/{pid}/cwd")
    return ""


def output_of(pid: int, stream: int = 1) -> str:
    """What the standard output (2: error) of `pid` leads to: a path, `socket:[…]`, or ""."""
    with suppress(OSError):
        return os.readlink(f"/proc/{pid}/fd/{stream}")
    return ""
