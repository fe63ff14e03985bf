"""A fleet of 200 hosts beside pyinfra and Ansible, and 10,000 simulated hosts.

    python tests/benchmarks/bench_fleet.py [--hosts N] [--rounds N] [--simulated N]
                                           [--ansible PROGRAM]

The hosts are addresses of this machine with one OpenSSH server; each tool runs the same program
there, which answers at once, 50 hosts at a time. Whole processes, alternating, medians. Ends with
1 where a bound is exceeded. Needs root, sshd, the extra `fleet`, and for --ansible the `ansible`
of any version.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# A script has its own folder on the path, and not the checkout.
sys.path.insert(0, str(Path(__file__).parents[2]))

from bench_bounds import Line
from bench_startup import RECONCILE, Run

from tests.fleet.simulated import simulate
from tests.support.open_ssh import OpenSsh

PARALLEL = 50
OF_PYINFRA, BESIDE = 1.1, "pyinfra, the same work"
SIMULATED_CPU_S, SIMULATED_MIB = 60, 400
PROGRAM = """\
#!/bin/sh
[ "$1" = --version ] && exec echo 'reconcile 9.0'
echo '{"format_version": "1.0", "resource_changes": [], "checks": []}'
"""
SSH_CONFIG = """\
Host 127.*
  Port {port}
  User root
  IdentityFile {folder}/ssh/client
  UserKnownHostsFile {folder}/known
"""
# What is asked of a host has to get there, and to be removed: as a deploy, that is this.
DEPLOY = """
from pyinfra import host
from pyinfra.operations import files, server

there = f"/tmp/bench-{host.name}.yaml"
files.put(src="FOLDER/site.yaml", dest=there, mode="600")
server.shell(commands=["FOLDER/program drift --json", f"rm {there}"])
"""


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--hosts", type=int, default=200)
    arguments.add_argument("--simulated", type=int, default=10_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--ansible", help="the program `ansible`")
    given = arguments.parse_args()
    held = []
    for line in (
        *simulated_hosts(given.simulated),
        *real_hosts(given.hosts, given.rounds, given.ansible),
    ):
        print(line, flush=True)
        held.append(line.holds)
    return 0 if all(held) else 1


def simulated_hosts(count: int) -> Iterator[Line]:
    """A rollout over hosts that answer from a script."""
    if count:
        _, cpu_s, mib = simulate(count, parallel=200)
        job = f"rollout over {count:,} simulated hosts, of the CPU"
        yield Line(job, cpu_s, SIMULATED_CPU_S, "s", mib, SIMULATED_MIB)


def real_hosts(count: int, rounds: int, ansible: str | None) -> Iterator[Line]:
    """The same program on hosts of OpenSSH by each tool."""
    if not count:
        return
    with tempfile.TemporaryDirectory() as name, sshd(Path(name)):
        commands = tools(Path(name), count, ansible)
        runs: dict[str, list[Run]] = {tool: [] for tool in commands}
        for _ in range(rounds):
            for tool, command in commands.items():
                runs[tool].append(run(Path(name), command))
    seconds = {tool: statistics.median(one.seconds for one in runs[tool]) for tool in runs}
    for tool, median in seconds.items():
        cpu_s = statistics.median(one.cpu_seconds for one in runs[tool])
        bound = OF_PYINFRA * seconds[BESIDE] if tool == "reconcile fleet" else 0.0
        yield Line(f"{count} hosts, {tool}, of the CPU {cpu_s:.1f} s", median, bound, "s")


@contextmanager
def sshd(folder: Path) -> Iterator[None]:
    """A server on all addresses of the loopback, known to all tools by ~/.ssh of that folder."""
    for name in ("ssh", ".ssh", "tmp"):
        (folder / name).mkdir(mode=0o700)
    server = OpenSsh(folder / "ssh", "0.0.0.0")
    config = SSH_CONFIG.format(port=server.port, folder=folder)
    (folder / ".ssh/config").write_text(config)
    try:
        yield
    finally:
        server.process.terminate()
        server.process.wait()


def tools(folder: Path, count: int, ansible: str | None) -> dict[str, list[str]]:
    """The command of each tool, and what it reads."""
    addresses = [f"127.1.{number // 250}.{number % 250 + 1}" for number in range(count)]
    # paramiko knows no patterns here.
    known = (folder / "ssh/known").read_text()
    (folder / "known").write_text("".join(known.replace("127.0.0.1", it) for it in addresses))
    write_fleet(folder, addresses)
    (folder / "inventory.py").write_text(f"hosts = {addresses!r}\n")
    (folder / "deploy.py").write_text(DEPLOY.replace("FOLDER", str(folder)))
    (folder / "hosts.ini").write_text("\n".join(addresses) + "\n")
    pyinfra = f"{os.path.dirname(sys.executable)}/pyinfra"
    options = ["--parallel", str(PARALLEL), "-y", "inventory.py"]
    program = f"{folder}/program"
    found = {
        "reconcile fleet": [*RECONCILE, "fleet", "drift"],
        BESIDE: [pyinfra, *options, "deploy.py"],
        "pyinfra exec, the command alone": [pyinfra, *options, "exec", "--", program, "drift"],
    }
    if ansible:
        # ssh has the home of passwd.
        config = f"--ssh-common-args=-F {folder}/.ssh/config"
        arguments = ["-i", "hosts.ini", "-f", str(PARALLEL), config, "-m", "command"]
        arguments += ["-e", f"ansible_python_interpreter={sys.executable}"]
        found["ansible"] = [ansible, "all", *arguments, "-a", f"{program} drift --json"]
    return found


def write_fleet(folder: Path, addresses: list[str]) -> None:
    """fleet.yaml and what its hosts are given."""
    program = folder / "program"
    program.write_text(PROGRAM)
    program.chmod(0o755)
    (folder / "site.yaml").write_text("version: 1\n")
    hosts = "".join(f"  h{number}: {{ssh: {it}}}\n" for number, it in enumerate(addresses))
    rest = f"install: {{command: {program}}}\nrollout: {{parallel: {PARALLEL}}}\n"
    text = f"version: 1\nhosts:\n{hosts}config: ./site.yaml\n{rest}"
    (folder / "fleet.yaml").write_text(text)


def run(folder: Path, command: list[str]) -> Run:
    """One run from start to end. Errors: SystemExit where a host was not asked."""
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "LC_ALL": "C.UTF-8"}
    began = time.perf_counter()
    with (folder / "output").open("w") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment | {"TMPDIR": str(folder / "tmp")},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(
            f"{command} ended with {process.returncode}\n{(folder / 'output').read_text()[-3000:]}"
        )
    seconds = time.perf_counter() - began
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


if __name__ == "__main__":
    sys.exit(main())
