"""Every bound of docs/performance.md in one run, beside the shell and, where given, pyinfra.

    python tests/benchmarks/bench_bounds.py [--sites FEWER MORE] [--uploads N] [--pyinfra PROGRAM]

Prints a line for each job with its bound, and ends with 1 where one is exceeded. Ratios are of
whole processes that alternate in this run; seconds are of the CPU. Needs root, nginx, rsync and
the `demo` extra.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from bench_sites import FEWER, GROWTH, MORE, declare_sites, site
from bench_startup import ENVIRONMENT, FILES, IMPORTED, RECONCILE, Run, applied_stage

from reconcile.cli.demo.demo_host import DemoHost, create_demo, nginx_binary, remove_demo
from reconcile.config.probes import Endpoint, Expectation, HttpProbe
from reconcile.system import Host
from reconcile.verify.run_probes import run_probes

ROUNDS = 5
WRONG_UID = 65534
MIB_OF_SITES, MIB_OF_UPLOADS, MIB_OF_ONE_SITE = 100, 60, 40

SHELL = """
set -eu
wrong='( ! -user root -o ! -group root -o -type d ! -perm 755 -o -type f ! -perm 644 )'
copy='rsync -a --no-owner --no-group --no-perms'
if [ "$1" = check ]; then
  [ -z "$(find "$3" $wrong -print)" ] && [ -z "$($copy -ni --delete "$2/" "$3/static/")" ]
else
  mkdir -p "$3/static"; $copy "$2/" "$3/static/"
  find "$3" ( ! -user root -o ! -group root ) -exec chown -h root:root {} +
  find "$3" -type d ! -perm 755 -exec chmod 755 {} + -o -type f ! -perm 644 -exec chmod 644 {} +
fi
"""
PYINFRA = r"""
from pyinfra.operations import files, server

files.rsync(src="SOURCE/", dest="ROOT/static/", flags=["-a", "--chmod=D755,F644"])
server.shell(commands=[
    r"find ROOT \( ! -user root -o ! -group root \) -exec chown -h root:root {} +",
    r"find ROOT -type d ! -perm 755 -exec chmod 755 {} +",
    r"find ROOT -type f ! -perm 644 -exec chmod 644 {} +",
])
"""


@dataclass(frozen=True)
class Line:
    """A job, how much it took of what it may take, and its peak of memory, in MiB."""

    job: str
    took: float
    bound: float
    unit: str
    mib: float = 0.0
    most_mib: float = 0.0

    @property
    def holds(self) -> bool:
        """Without a bound it does."""
        is_in_time = not self.bound or self.took <= self.bound
        return is_in_time and (not self.most_mib or self.mib <= self.most_mib)

    def __str__(self) -> str:
        memory = f", {self.mib:.0f} MiB" if self.mib else ""
        memory += f" (bound {self.most_mib:.0f})" if self.most_mib else ""
        verdict = "ok  " if self.holds else "SLOW"
        bound = f" (bound {self.bound:g})" if self.bound else ""
        return f"{verdict} {self.job}: {self.took:.2f} {self.unit}{bound}{memory}"


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--sites", nargs=2, type=int, default=[FEWER, MORE])
    arguments.add_argument("--uploads", type=int, default=100_000)
    arguments.add_argument("--pyinfra")
    given = arguments.parse_args()
    held = []
    # Each is printed as it is measured: all of them take minutes.
    for line in chain(
        one_site(given.pyinfra),
        many_uploads(given.uploads, given.pyinfra),
        map(probes_of, [given.sites[1]]),
        large_file(),
        many_sites(*given.sites),
    ):
        print(line, flush=True)
        held.append(line.holds)
    return 0 if all(held) else 1


def run(*command: str, accepted: tuple[int, ...] = (0,)) -> Run:
    """One run from start to end, as `bench_startup.timed`, children included."""
    before = os.times()
    with open(os.devnull, "w") as nowhere:
        process = subprocess.Popen(command, stdout=nowhere, stderr=nowhere, env=ENVIRONMENT)
        _, status, usage = os.wait4(process.pid, 0)
    after = os.times()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in accepted:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Run(
        after.elapsed - before.elapsed, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024
    )


def ratio(own: Callable[[], Run], other: Callable[[], Run], rounds: int = ROUNDS) -> float:
    """How many times as long the first takes, alternating; the median."""
    return statistics.median(own().seconds / other().seconds for _ in range(rounds))


def reconcile(demo: DemoHost, *arguments: str) -> Run:
    return run(*RECONCILE, *arguments, "-f", demo.file, accepted=(0, 2))


def one_site(pyinfra: str | None) -> Iterator[Line]:
    """Start-up, and a plan that finds nothing to do."""
    demo = applied_stage()
    try:
        name = f"plan, nothing to do, {FILES} + {FILES} files"
        mib = reconcile(demo, "plan").mib
        took = ratio(lambda: reconcile(demo, "plan"), lambda: run(*IMPORTED), 3 * ROUNDS)
        yield Line(name, took, 1.0, "x the imports", mib, MIB_OF_ONE_SITE)
        if pyinfra:
            root, source = f"{demo.root}/py", f"{demo.root}/app/static"
            shutil.copytree(f"{demo.root}/www/media", f"{root}/media")
            peer = pyinfra_of(demo, source, root, pyinfra)
            peer()
            took = statistics.median(
                reconcile(demo, "plan").seconds / peer() for _ in range(ROUNDS)
            )
            yield Line(name, took, 0.4, "x pyinfra")
        took = ratio(lambda: run(*RECONCILE, "--help"), lambda: run(*IMPORTED))
        yield Line("--help", took, 0.75, "x the imports")
    finally:
        remove_demo(demo)


def many_uploads(count: int, pyinfra: str | None) -> Iterator[Line]:
    """The first apply on uploads of a wrong owner and mode, then repairs and plans."""
    demo = create_demo(tempfile.mkdtemp(prefix="reconcile-bench-"), nginx_binary())
    folder = f"{demo.root}/www/s0"
    others = {"the shell": f"{demo.root}/shell"} | (
        {"pyinfra": f"{demo.root}/py"} if pyinfra else {}
    )
    try:
        declare_sites(demo, 1)
        for number in range(1_000):
            Path(f"{demo.root}/src/s0/{number}.css").write_text("a {}\n" * 50)
        for root in (folder, *others.values()):
            write_wrong_uploads(f"{root}/media", count)
        peers = {name: peer_of(name, demo, root, pyinfra) for name, root in others.items()}
        own = reconcile(demo, "apply", "--auto-approve", "--no-verify").seconds
        for name, peer in peers.items():
            yield Line(
                f"first apply, {count:,} wrong uploads", own / peer("apply"), 1.5, f"x {name}"
            )
        shell = peers["the shell"]
        planned = reconcile(demo, "plan")
        took = statistics.median(
            reconcile(demo, "plan").seconds / shell("check") for _ in range(ROUNDS)
        )
        yield Line(
            f"plan, nothing to do, {count:,} uploads",
            took,
            1.2,
            "x the shell",
            planned.mib,
            MIB_OF_UPLOADS,
        )
        took = statistics.median(
            reconcile(demo, "apply", "--auto-approve", "--no-verify").seconds / shell("apply")
            for _ in range(ROUNDS)
        )
        yield Line(f"apply, nothing to do, {count:,} uploads", took, 1.3, "x the shell")
        took = statistics.median(
            repaired(demo, folder, others["the shell"], shell) for _ in range(3)
        )
        yield Line(f"repair of 100 among {count:,}", took, 1.3, "x the shell")
    finally:
        remove_demo(demo)


def repaired(demo: DemoHost, folder: str, other: str, shell: Callable[[str], float]) -> float:
    for root in (folder, other):
        for number in range(100):
            os.chmod(f"{root}/media/{number % 10}/{number}", 0o600)
    own = reconcile(demo, "apply", "--auto-approve", "--no-verify").seconds
    return own / shell("apply")


def write_wrong_uploads(folder: str, count: int) -> None:
    """That many files in ten folders, each of another user and with another mode."""
    for number in range(10):
        os.makedirs(f"{folder}/{number}")
    for number in range(count):
        path = f"{folder}/{number % 10}/{number}"
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
        os.chown(path, WRONG_UID, WRONG_UID)


def peer_of(name: str, demo: DemoHost, root: str, pyinfra: str | None) -> Callable[[str], float]:
    """What takes the seconds of the peer's `apply` or `check` of the tree `root`."""
    source = f"{demo.root}/src/s0"
    if name == "the shell":
        script = SHELL.replace(" ( ", r" \( ").replace(" ) ", r" \) ")
        return lambda verb: run("sh", "-c", script, "sh", verb, source, root).seconds
    take = pyinfra_of(demo, source, root, pyinfra or "pyinfra")
    return lambda _: take()


def pyinfra_of(demo: DemoHost, source: str, root: str, pyinfra: str) -> Callable[[], float]:
    """What takes the seconds of pyinfra's run on the tree `root`."""
    deploy = Path(demo.root, "deploy.py")
    deploy.write_text(PYINFRA.replace("SOURCE", source).replace("ROOT", root))
    return lambda: run(pyinfra, "@local", "-y", str(deploy)).seconds


def probes_of(sites: int) -> Line:
    """The probes of many sites, sent to a server that takes 1 ms for each."""
    server = subprocess.Popen((sys.executable, "-c", SERVER), stdout=subprocess.PIPE, text=True)
    try:
        port = int(server.stdout.readline() if server.stdout else 0)
        probes = [
            HttpProbe(f"s{n} {path}", f"s{n}", endpoint, path, Expectation(frozenset({200})))
            for n in range(sites)
            for endpoint in [Endpoint("http", f"s{n}.localhost", port, ("127.0.0.1",))]
            for path in PROBED
        ]
        began = time.perf_counter()
        checks = run_probes(probes, Host())
        took = time.perf_counter() - began
    finally:
        server.kill()
        server.wait()
    if any(check.status != "pass" for check in checks):
        raise SystemExit("a probe failed")
    return Line(f"{len(probes):,} probes of {sites:,} sites", took, 4.0, "s")


PROBED = ("/", "/static/app.css", "/static/", "/static/.env", "/media/", "/media/.env")
SERVER = """
import asyncio

async def answer(reader, writer):
    await reader.readuntil(b"\\r\\n\\r\\n")
    await asyncio.sleep(0.001)
    writer.write(b"HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\nConnection: close\\r\\n\\r\\nok")
    writer.close()

async def main():
    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()

asyncio.run(main())
"""


def large_file() -> Iterator[Line]:
    """Validating a YAML of 1 MiB, and beside one of half of that."""
    demo = create_demo(tempfile.mkdtemp(prefix="reconcile-bench-"), nginx_binary())
    try:
        head = Path(demo.file).read_text().partition("sites:")[0] + "sites:\n"
        count = (1 << 20) // len(site(demo, 1_000).encode()) + 1
        took = []
        for sites in (count // 2, count):
            Path(demo.file).write_text(head + "".join(site(demo, n) for n in range(sites)))
            took.append(reconcile(demo, "validate").cpu_seconds)
        yield Line("validate 1 MiB", took[1], 1.5, "s")
        yield Line("validate 1 MiB / half of it", took[1] / took[0], 2 * GROWTH, "x")
    finally:
        remove_demo(demo)


def many_sites(fewer: int, more: int) -> Iterator[Line]:
    """What grows with the sites: the CPU's seconds with many, and beside fewer of them."""
    few, many = measure(fewer, FEW_SITES_JOBS), measure(more)
    for job in FEW_SITES_JOBS:
        yield Line(f"{fewer} sites, {job}", few[job].cpu_seconds, 0.0, "s", few[job].mib)
    for job, (_, bound) in SITE_JOBS.items():
        own, less = many[job], few[job]
        if bound and more >= MORE:
            yield Line(f"{more} sites, {job}", own.cpu_seconds, bound, "s", own.mib, MIB_OF_SITES)
        if job == "one site changed":
            yield changed_beside_plan(more, many)
        growth = own.cpu_seconds / less.cpu_seconds
        yield Line(f"{more} / {fewer} sites, {job}", growth, GROWTH * more / fewer, "x")


def changed_beside_plan(sites: int, runs: Mapping[str, Run]) -> Line:
    """An apply of one changed site without nginx's own test, beside a plan of nothing."""
    own = runs["one site changed"].cpu_seconds - runs["nginx -t"].cpu_seconds
    plan = runs["plan, nothing to do"].cpu_seconds
    return Line(f"{sites} sites, one site changed", own / plan, 2.0, "x the plan of nothing")


SITE_JOBS: dict[str, tuple[tuple[str, ...], float]] = {
    "validate": (("validate",), 0.0),
    "first plan": (("plan", "--summary"), 6.0),
    "first apply": (("apply", "--auto-approve", "--no-verify", "--summary"), 0.0),
    "plan, nothing to do": (("plan", "--summary"), 1.5),
    "doctor": (("doctor",), 6.0),
    "one site changed": (("apply", "--auto-approve", "--no-verify", "--summary"), 0.0),
}
"""Job → its command, and the seconds it may take with a thousand sites; 0: growth alone."""
FEW_SITES_JOBS = {
    "explain": ("explain", "http://s0.localhost/static/0.css"),
    "verify": ("verify",),
    "adopt": ("adopt",),
}
"""Job → its command, without a bound."""


def measure(sites: int, more: Mapping[str, tuple[str, ...]] | None = None) -> dict[str, Run]:
    """Each job once, in order, on a host of its own; then those of `more`."""
    demo = create_demo(tempfile.mkdtemp(prefix="reconcile-bench-"), nginx_binary())
    try:
        declare_sites(demo, sites)
        found = {}
        for job, (arguments, _) in SITE_JOBS.items():
            if job == "one site changed":
                text = Path(demo.file).read_text()
                Path(demo.file).write_text(text.replace("cache: week", "cache: day", 1))
            found[job] = reconcile(demo, *arguments)
        found["nginx -t"] = run(nginx_binary(), "-t", "-c", f"{demo.root}/nginx/nginx.conf")
        for job, command in (more or {}).items():
            # The app of these sites does not answer, so some checks fail.
            found[job] = run(*RECONCILE, *command, "-f", demo.file, accepted=(0, 1, 2, 3))
        return found
    finally:
        remove_demo(demo)


if __name__ == "__main__":
    if not shutil.which("rsync"):
        sys.exit("rsync is missing")
    sys.exit(main())
