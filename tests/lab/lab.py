"""A test run's lab: its folder, its network, the hosts it booted; all of it ends with the run."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from tests.lab.cache import cache_folder, locked, remove_tree
from tests.lab.debian import DebianHost, entering
from tests.support.wait import wait_for

_OLDER_LIMITS = re.compile(r"^cgroup (\S+) cgroup ro,\S*,(?:memory|pids) ")
BOOT_TIMEOUT_S = 300.0
NEEDED = ("debootstrap", "systemd-nspawn", "nsenter", "unshare", "ip", "setsid")
OLDER = frozenset(["name=systemd", "memory", "pids"])
# $$ is this shell, then nspawn: the host starts inside its own control group.
BOOT_IN_GROUPS = 'for group in $GROUPS_; do echo $$ >"$group/cgroup.procs"; done; exec "$@"'


class HostsUnavailableError(Exception):
    """This machine cannot boot test hosts."""


def require_hosts() -> None:
    """Raise HostsUnavailableError, with the way out, where hosts can't be booted."""
    missing = [tool for tool in NEEDED if not shutil.which(tool)]
    if os.geteuid() != 0:
        reason = "they need root"
    elif missing:
        reason = f"missing: {', '.join(missing)} (apt install debootstrap systemd-container)"
    elif not _group_mounts():
        reason = "there is no cgroup2 mount"
    else:
        return
    raise HostsUnavailableError(
        f"Real test hosts cannot be booted here: {reason}. "
        "Run ./tests/run.sh, or leave these tests out with: pytest -m 'not host'"
    )


@dataclass(frozen=True)
class _Machine:
    """One booted host, as the machine that carries it sees it."""

    id: str
    folder: Path

    @property
    def namespace(self) -> Path:
        return Path("/run/netns", self.id)

    @property
    def groups(self) -> list[Path]:
        return [mount / self.id for mount in _group_mounts()]


class Lab:
    """Boots hosts from `layers`; `close` leaves nothing of them."""

    def __init__(self, layers: list[Path]) -> None:
        require_hosts()
        sweep()
        self._layers = layers
        self._id = f"rct{os.getpid()}-{secrets.token_hex(3)}"
        self._folder = cache_folder() / "runs" / self._id
        self._booted: dict[str, subprocess.Popen[bytes]] = {}
        self._count = 0
        with locked(_runs_lock()):
            self._folder.mkdir(parents=True)
            # Held until this process dies: a run whose lock is free is a dead one.
            self._lock = (self._folder / "lock").open("w")
            fcntl.flock(self._lock, fcntl.LOCK_EX)
        _add_bridge(self._id)

    def boot(self, name: str | None = None) -> DebianHost:
        """A fresh host, up and reachable from this lab's other hosts."""
        self._count += 1
        number = self._count
        machine = _Machine(f"{self._id}-{number}", self._folder / f"{self._id}-{number}")
        name = name or f"h{number}"
        _lay_over(machine, self._layers, name)
        address = _connect(machine, self._id, number)
        self._booted[machine.id] = process = _start(machine, name)
        leader = _wait_until_up(machine, process)
        _let_limit(leader)
        return DebianHost(name=name, address=address, leader=leader, id=machine.id)

    def reboot(self, host: DebianHost) -> DebianHost:
        """The same host after its power failed: its disk, and nothing else."""
        self.cut_power(host)
        return self.power_on(host)

    def cut_power(self, host: DebianHost) -> None:
        """All processes of the host are gone; its disk stays."""
        _cut_power(_Machine(host.id, self._folder / host.id))
        self._booted[host.id].wait()

    def power_on(self, host: DebianHost) -> DebianHost:
        """Boot a host whose power was cut."""
        machine = _Machine(host.id, self._folder / host.id)
        self._booted[machine.id] = process = _start(machine, host.name)
        leader = _wait_until_up(machine, process)
        _let_limit(leader)
        return DebianHost(name=host.name, address=host.address, leader=leader, id=machine.id)

    def stop(self, host: DebianHost) -> None:
        """Pull the host's plug and remove it."""
        _remove(_Machine(host.id, self._folder / host.id))
        self._booted.pop(host.id).wait()

    @property
    def entering(self) -> list[str]:
        """The command that runs another in the network of the hosts."""
        return ["nsenter", f"--net=/run/netns/{self._id}"]

    def join(self, address: str) -> None:
        """Give this machine an address there; hosts have 10.77.0.2 to 10.77.0.251."""
        _ip("-n", self._id, "address", "add", address, "dev", "bridge0")
        _ip("-n", self._id, "link", "set", "lo", "up")

    def close(self) -> None:
        """Remove every host of this lab, and the lab."""
        _remove_run(self._folder)
        for process in self._booted.values():
            process.wait()
        self._lock.close()


def sweep() -> None:
    """Remove what runs that were killed have left behind."""
    with locked(_runs_lock()):
        for folder in _runs_lock().parent.glob("rct*"):
            with (folder / "lock").open("a") as lock, _unless_held(lock.fileno()) as free:
                if free:
                    _remove_run(folder)


def _runs_lock() -> Path:
    runs = cache_folder() / "runs"
    runs.mkdir(exist_ok=True)
    return runs / ".lock"


@contextmanager
def _unless_held(descriptor: int) -> Iterator[bool]:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True


def _group_mounts() -> list[Path]:
    """Where a host has groups of its own: cgroup2 first, then what version 1 has beside it."""
    mounts = [line.split() for line in Path("/proc/self/mounts").read_text().splitlines()]
    unified = [Path(mount[1]) for mount in mounts if mount[2] == "cgroup2"]
    older = [Path(m[1]) for m in mounts if m[2] == "cgroup" and OLDER & {*m[3].split(",")}]
    return unified[:1] + older if unified else []


def _add_bridge(namespace: str) -> None:
    """A network namespace with a bridge in it: every run may use the same addresses."""
    _ip("netns", "add", namespace)
    _ip("-n", namespace, "link", "add", "bridge0", "type", "bridge")
    _ip("-n", namespace, "link", "set", "bridge0", "up")


def _connect(machine: _Machine, lab: str, number: int) -> str:
    """Give the host its network namespace and address on the lab's bridge."""
    address = f"10.77.0.{number % 250 + 2}"
    port = f"port{number}"
    inside = ["-n", machine.id]
    _ip("netns", "add", machine.id)
    _ip("-n", lab, "link", "add", port, "type", "veth", "peer", "host0", "netns", machine.id)
    _ip("-n", lab, "link", "set", port, "master", "bridge0", "up")
    _ip(*inside, "address", "add", f"{address}/24", "dev", "host0")
    _ip(*inside, "link", "set", "host0", "up")
    _ip(*inside, "link", "set", "lo", "up")
    return address


def _lay_over(machine: _Machine, layers: list[Path], name: str) -> None:
    """Mount the host's root: the images, and on top what this host changes."""
    for part in ("changes", "work", "root"):
        (machine.folder / part).mkdir(parents=True, mode=0o755)
    (machine.folder / "changes").chmod(0o755)
    options = (
        f"lowerdir={':'.join(map(str, layers))},upperdir={machine.folder / 'changes'},"
        # volatile: a host never outlives its run, so nothing has to reach the disk.
        f"workdir={machine.folder / 'work'},volatile"
    )
    root = machine.folder / "root"
    _run("mount", "-t", "overlay", machine.id, "-o", options, str(root))
    (root / "etc/hostname").write_text(f"{name}\n")
    (root / "etc/machine-id").write_text(f"{secrets.token_hex(16)}\n")


def _start(machine: _Machine, name: str) -> subprocess.Popen[bytes]:
    for group in machine.groups:
        group.mkdir()
    nspawn = ["systemd-nspawn", "--quiet", "--boot", "--register=no", "--keep-unit"]
    own = [f"--directory={machine.folder / 'root'}", f"--machine={machine.id}"]
    network = [f"--hostname={name}", f"--network-namespace-path={machine.namespace}"]
    alone = ["--resolv-conf=off", "--timezone=off", "--link-journal=no", "--console=pipe"]
    # A real host has no system call filter.
    environment = {
        **os.environ,
        "SYSTEMD_SECCOMP": "0",
        "GROUPS_": " ".join(map(str, machine.groups)),
    }
    with (machine.folder / "console.log").open("wb") as log:
        return subprocess.Popen(
            ["setsid", "sh", "-c", BOOT_IN_GROUPS, "sh", *nspawn, *own, *network, *alone],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
        )


def _wait_until_up(machine: _Machine, process: subprocess.Popen[bytes]) -> int:
    """The PID, as seen from here, of the host's systemd once all its services are started."""

    def leader_of_a_host_that_is_up() -> int | None:
        if process.poll() is not None:
            raise RuntimeError(f"{machine.id} ended while booting:\n{_console(machine)}")
        leader = _leader(machine)
        return leader if leader and _is_up(leader) else None

    try:
        return wait_for(leader_of_a_host_that_is_up, machine.id, timeout_s=BOOT_TIMEOUT_S)
    except AssertionError as late:
        raise RuntimeError(f"{late} to boot:\n{_console(machine)}") from late


def _let_limit(leader: int) -> None:
    """Let the host's systemd limit memory, as on a machine: nspawn mounts groups of v1 ro."""
    mounts = _text(Path(f"/proc/{leader}/mounts")).splitlines()
    limits = [found[1] for found in map(_OLDER_LIMITS.search, mounts) if found]
    for mount in limits:
        _run(*entering(leader), "mount", "-o", "remount,rw,bind", mount)
    if limits:
        _run(*entering(leader), "systemctl", "daemon-reexec")


def _leader(machine: _Machine) -> int | None:
    """The process of the machine that is PID 1 inside."""
    for procs in machine.groups[0].rglob("cgroup.procs"):
        for pid in _text(procs).split():
            if f"NSpid:\t{pid}\t1\n" in _text(Path(f"/proc/{pid}/status")):
                return int(pid)
    return None


def _text(path: Path) -> str:
    """The file's text; none when the kernel object behind it is gone by now."""
    try:
        return path.read_text()
    except OSError:
        return ""


def _is_up(leader: int) -> bool:
    asked = [*entering(leader), "systemctl", "is-system-running"]
    output = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    return output in ("running", "degraded")


def _console(machine: _Machine) -> str:
    return (machine.folder / "console.log").read_text(errors="replace")[-2000:]


def _remove_run(folder: Path) -> None:
    for host in folder.glob(f"{folder.name}-*"):
        _remove(_Machine(host.name, host))
    if Path("/run/netns", folder.name).exists():
        _ip("netns", "delete", folder.name)
    remove_tree(folder)


def _remove(machine: _Machine) -> None:
    """Kill the host, then undo what carried it, whatever is there."""
    _cut_power(machine)
    root = machine.folder / "root"
    if root.is_mount():
        _run("umount", "--lazy", str(root))
    if machine.namespace.exists():
        _ip("netns", "delete", machine.id)
    remove_tree(machine.folder)


def _cut_power(machine: _Machine) -> None:
    """Kill all of the host's processes at once."""
    if machine.groups[0].exists():
        (machine.groups[0] / "cgroup.kill").write_text("1")
    for group in machine.groups:
        wait_for(partial(_removed_group, group), f"{group} to empty")


def _removed_group(group: Path) -> bool:
    """Whether the control group is gone; one that still holds a process can't be removed yet."""
    for folder in sorted((group, *group.rglob("*/")), reverse=True):
        with suppress(FileNotFoundError, OSError):
            folder.rmdir()
    return not group.exists()


def _ip(*arguments: str) -> None:
    _run("ip", *arguments)


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)} failed ({done.returncode}): {done.stderr.strip()}")
