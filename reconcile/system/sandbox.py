"""Runs untrusted code as its own user, without write access and network.

systemd creates the sandbox and ends it: a read-only filesystem, no devices, limits, a filter of
system calls. `unshare` adds a namespace of processes, for which systemd has no property before
version 257, and creates the others too, because it fails where systemd continues without one.
Source: systemd.exec(5), systemd.resource-control(5), unshare(1), setpriv(1).
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Mapping, Sequence
from typing import Literal

from reconcile.dataclass import dataclass
from reconcile.errors import ReconcileError
from reconcile.system.accounts import Account
from reconcile.system.commands import (
    ENVIRONMENT,
    Commands,
    CommandTimeout,
    CompletedCommand,
    TooMuchOutput,
)
from reconcile.system.services.systemctl import has_systemd

MAX_OUTPUT_BYTES = 1 << 20
MAX_MEMORY_BYTES = 1 << 30
_GRACE_S = 15.0
"""The time that systemd may take to start the unit and to end it."""

_EMPTY = "size=16m,nr_inodes=4k,mode=1777,nosuid,nodev,noexec"
_UNREACHABLE = ("socket:ENETUNREACH", "socketcall:ENETUNREACH", "connect", "bind", "listen")
_PROPERTIES = (
    "ProtectSystem=strict",
    "PrivateDevices=yes",
    "ProtectKernelTunables=yes",
    "ProtectControlGroups=yes",
    # With this one systemd fails where it cannot create a mount namespace.
    f"TemporaryFileSystem=/run /tmp:{_EMPTY} /var/tmp:{_EMPTY} /dev/shm:{_EMPTY}",
    "InaccessiblePaths=-/dev/mqueue -/dev/pts -/dev/hugepages",
    # For unshare alone: setpriv drops it, and no_new_privs prevents its return.
    "AmbientCapabilities=CAP_SYS_ADMIN",
    "CapabilityBoundingSet=CAP_SYS_ADMIN",
    "NoNewPrivileges=yes",
    "RestrictNamespaces=mnt pid net ipc uts",
    "SystemCallArchitectures=native",
    "SystemCallErrorNumber=EPERM",
    "SystemCallFilter=@system-service @mount",
    # socketpair stays allowed for asyncio: its ends are connected to each other only, and a
    # connection elsewhere needs connect, sendto or sendmsg.
    f"SystemCallFilter=~{' '.join(_UNREACHABLE)} sendto sendmsg sendmmsg io_uring_setup @keyring",
    "MemorySwapMax=0",
    "TasksMax=256",
    "CPUQuota=100%",
    "OOMScoreAdjust=1000",
    "LimitCORE=0",
    "LimitFSIZE=16M",
    "LimitNOFILE=1024",
    "UMask=0077",
    "KillSignal=SIGKILL",
    # systemd's own lines about the unit stay out of the journal too.
    "LogLevelMax=crit",
)
_NAMESPACES = ("--pid", "--net", "--ipc", "--uts", "--mount-proc", "--fork", "--kill-child")
_BOOTSTRAP = """
import json, os, sys
order = json.load(sys.stdin)
null = os.open(os.devnull, os.O_RDWR)
os.dup2(null, 0)
if "Seccomp:\\t2" not in open("/proc/self/status").read():
    sys.exit("this kernel filters no system calls")
os.dup2(null, 2)
print("entered", flush=True)
try:
    os.chdir(order["directory"])
    os.execve(order["argv"][0], order["argv"], order["environment"])
except OSError as error:
    print(error.strerror + ": " + str(error.filename), flush=True)
    sys.exit(127)
"""
"""Runs first in the sandbox. The order is sent by standard input: command lines are public."""
_NOT_EXECUTED = (126, 127)
_RESULT = re.compile(r"^Finished with result: (\S+)$", re.MULTILINE)


class NoSandbox(ReconcileError):
    """No sandbox is available, and nothing was run."""


@dataclass(frozen=True)
class SandboxResult:
    """The standard output of the program, and how it ended.

    `exit_code` belongs to "exited", `reason` to "not started".
    """

    output: str
    outcome: Literal["exited", "killed", "timeout", "too much output", "not started"]
    exit_code: int = 0
    reason: str = ""


def run_sandboxed(
    commands: Commands,
    python: str,
    arguments: Sequence[str],
    account: Account,
    *,
    directory: str,
    environment: Mapping[str, str],
    timeout_s: float = 10.0,
) -> SandboxResult:
    """Run `python` (an absolute path, not necessarily trusted) as `account` in `directory`.

    It can read what `account` can, and write to empty folders in memory (/tmp). It has no network,
    sees only its own processes, and its memory is limited; the whole sandbox ends with it.
    Errors: NoSandbox, also where `account` is root, which a sandbox does not confine.
    """
    if account.uid == 0:
        raise NoSandbox(f"{python} was not run as root", "a sandbox does not confine root")
    _require_systemd(commands)
    unit = f"reconcile-sandbox-{secrets.token_hex(4)}.service"
    order = {
        "argv": (python, *arguments),
        "directory": directory,
        "environment": {**ENVIRONMENT, **environment, "TMPDIR": "/tmp"},  # noqa: S108  its own
    }
    try:
        done = commands.run(
            _command(commands, unit, python, account, timeout_s),
            input=json.dumps(order).encode(),
            timeout_s=timeout_s + _GRACE_S,
            max_bytes=MAX_OUTPUT_BYTES,
        )
    except (TooMuchOutput, CommandTimeout) as error:
        commands.run(("systemctl", "stop", unit))
        is_late = isinstance(error, CommandTimeout)
        return SandboxResult("", "timeout" if is_late else "too much output")
    return _result(done)


def _require_systemd(commands: Commands) -> None:
    """Errors: NoSandbox."""
    if os.geteuid() != 0:
        raise NoSandbox("No sandbox is available", "only root can create one. Run it with sudo.")
    if not has_systemd():
        raise NoSandbox("No sandbox is available", "systemd is not running")
    # systemd ignores limits that it cannot set, without an error.
    shown = commands.run(
        ("systemctl", "show", "--property=MemoryCurrent,TasksCurrent", "system.slice")
    )
    if len(re.findall(r"=\d+$", shown.stdout, re.MULTILINE)) != 2:
        raise NoSandbox("No sandbox is available", "systemd cannot limit memory and processes here")


def _command(
    commands: Commands, unit: str, python: str, account: Account, timeout_s: float
) -> tuple[str, ...]:
    properties = (
        *_PROPERTIES,
        f"User={account.uid}",
        f"Group={account.gid}",
        f"SupplementaryGroups={' '.join(map(str, sorted(account.groups)))}",
        f"MemoryMax={min(MAX_MEMORY_BYTES, _available_memory() // 2)}",
        f"RuntimeMaxSec={timeout_s:g}",
    )
    command = (
        *(commands.required("unshare"), *_NAMESPACES, "--"),
        *(commands.required("setpriv"), "--ambient-caps=-all", "--inh-caps=-all", "--"),
        *(python, "-I", "-S", "-c", _BOOTSTRAP),
    )
    return (
        *("systemd-run", "--pipe", "--wait", "--collect", "--service-type=exec", f"--unit={unit}"),
        *(f"--property={one}" for one in properties),
        "--",
        # systemd expands variables in a command.
        *(word.replace("$", "$$") for word in command),
    )


def _available_memory() -> int:
    """Units: bytes. Source: proc(5), /proc/meminfo."""
    with open("/proc/meminfo") as file:
        found = re.search(r"^MemAvailable:\s+(\d+) kB$", file.read(), re.MULTILINE)
    return int(found[1]) << 10 if found else MAX_MEMORY_BYTES


def _result(done: CompletedCommand) -> SandboxResult:
    entered, _, output = done.stdout.partition("\n")
    reason = output.strip() or done.stderr.partition("\nFinished with")[0].rpartition("\n")[2]
    if done.returncode in _NOT_EXECUTED:
        return SandboxResult("", "not started", reason=reason)
    if entered != "entered":
        raise NoSandbox("No sandbox is available", reason or f"exit status {done.returncode}")
    how = _RESULT.search(done.stderr)
    if how and how[1] == "timeout":
        return SandboxResult(output, "timeout")
    # unshare reports that its child ended by SIGKILL.
    if "\nunshare: " in done.stderr or (how and how[1] not in ("success", "exit-code")):
        return SandboxResult(output, "killed")
    return SandboxResult(output, "exited", done.returncode)
