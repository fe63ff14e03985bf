"""A place for a process from which nothing of the machine can be changed and nobody reached.

All that it sees is read-only, but for a small folder in memory. It has a network without any
way out, no sockets, no process but its own, and no privilege to regain.
Source: namespaces(7), mount_setattr(2), capabilities(7), prctl(2).
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
from contextlib import suppress

from reconcile.system.accounts import Account
from reconcile.system.kernel import (
    CLONE_NEWNS,
    CLONE_NEWUSER,
    MS_BIND,
    MS_PRIVATE,
    MS_REC,
    Kernel,
)
from reconcile.system.seccomp import refuse_sockets

SCRATCH = "/dev/shm"  # noqa: S108  a filesystem of the room's own, not the machine's
"""The one folder that can be written to; it holds 16 MiB and goes with the room."""

_NEWPID, _NEWNET, _NEWIPC, _NEWUTS = 0x20000000, 0x40000000, 0x08000000, 0x04000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT = 1, 2, 4, 8, 32
_SAFE = _MS_NOSUID | _MS_NODEV | _MS_NOEXEC
_DEVICES = ("null", "zero", "full", "random", "urandom")
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38
_MOST_MEMORY_BYTES = 4 << 30
_MORE_TASKS = 1024
"""The kernel counts a user's tasks in all containers together; in one, the others are not seen."""


class Room:
    """Made before a fork, for it loads a library; used by the children."""

    def __init__(self) -> None:
        self._kernel = Kernel()
        self._library = ctypes.CDLL(None, use_errno=True)

    def die_with_parent(self) -> None:
        self._library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)

    def leave_the_machine(self) -> None:
        """The next child will be the first process of the room. Errors: OSError."""
        uid, gid = os.geteuid(), os.getegid()
        flags = CLONE_NEWNS | _NEWPID | _NEWNET | _NEWIPC | _NEWUTS
        self._kernel.unshare(flags if uid == 0 else flags | CLONE_NEWUSER)
        if uid != 0:
            _write("/proc/self/setgroups", "deny")
            _write("/proc/self/uid_map", f"{uid} {uid} 1")
            _write("/proc/self/gid_map", f"{gid} {gid} 1")

    def close(self, account: Account, cpu_s: int) -> None:
        """Shut every door, then be `account` for good. Errors: OSError."""
        tasks = _tasks_of(account.uid)
        self._cover_files()
        _set_limits(cpu_s, tasks + _MORE_TASKS)
        self._drop_privileges(account)
        # A change of user has taken this back.
        self.die_with_parent()
        refuse_sockets(self._library)

    def _cover_files(self) -> None:
        mount = self._kernel.mount
        devices = {name: os.open(f"/dev/{name}", os.O_PATH) for name in _DEVICES}
        mount("none", "/", "none", MS_REC | MS_PRIVATE)
        self._kernel.make_read_only(b"/")
        mount("tmpfs", "/dev", "tmpfs", _MS_NOSUID | _MS_NOEXEC, "mode=0755,size=64k")
        for name, source in devices.items():
            os.close(os.open(f"/dev/{name}", os.O_CREAT | os.O_WRONLY, 0o666))
            mount(f"/proc/self/fd/{source}", f"/dev/{name}", "none", MS_BIND)
            os.close(source)
        os.symlink("/proc/self/fd", "/dev/fd")
        os.mkdir(SCRATCH)
        mount("tmpfs", SCRATCH, "tmpfs", _SAFE, "mode=1777,size=16m")
        mount("none", "/dev", "none", _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NOEXEC)
        mount("proc", "/proc", "proc", _SAFE | _MS_RDONLY)

    def _drop_privileges(self, account: Account) -> None:
        for capability in range(64):
            # Past the last one that this kernel knows: EINVAL.
            self._library.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
        if os.geteuid() == 0:
            os.setgroups(sorted(account.groups))
            os.setresgid(account.gid, account.gid, account.gid)
            os.setresuid(account.uid, account.uid, account.uid)
        if self._library.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"no_new_privs: {os.strerror(number)}")


def _set_limits(cpu_s: int, tasks: int) -> None:
    for limit, value in (
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_CPU, cpu_s),
        (resource.RLIMIT_AS, _MOST_MEMORY_BYTES),
        (resource.RLIMIT_NPROC, tasks),
    ):
        hard = resource.getrlimit(limit)[1]
        least = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (least, least))


def _tasks_of(uid: int) -> int:
    """How many threads that user has on the machine: its limit counts those too."""
    found = 0
    for name in os.listdir("/proc"):
        with suppress(OSError):
            if name.isdigit() and os.stat(f"/proc/{name}").st_uid == uid:
                found += len(os.listdir(f"/proc/{name}/task"))
    return found


def _write(path: str, text: str) -> None:
    with open(path, "w") as file:
        file.write(text)
