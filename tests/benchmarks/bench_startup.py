"""How long a command takes as a whole process, beside the imports that it cannot do without.

    python tests/benchmarks/bench_startup.py [RUNS]

Each command alternates with its reference, so that both meet the same machine; medians are
compared, of the time that a clock shows and of the CPU's, which other work disturbs less. Ends
with 1 where a limit is missed. Needs the package installed, nginx, Flask and Gunicorn (the
`demo` extra).
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from reconcile.cli.demo.demo_host import DemoHost, create_demo, nginx_binary, remove_demo

RECONCILE = (f"{os.path.dirname(sys.executable)}/reconcile",)
STARTED = (sys.executable, "-c", "import typer")
IMPORTED = (sys.executable, "-c", "import typer, pydantic, yaml, jinja2")
FILES = 100
# Whoever measures may have told Python to keep no bytecode; who uses it has not.
ENVIRONMENT = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}


@dataclass(frozen=True)
class Bench:
    """A command, what it is compared with, and how much more it may take."""

    name: str
    command: tuple[str, ...]
    reference: tuple[str, ...]
    times: float = 1.5
    most_mib: int | None = None


@dataclass(frozen=True)
class Run:
    seconds: float
    cpu_seconds: float
    mib: float


def main() -> int:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    demo = applied_stage()
    try:
        benches = (
            Bench("--version", (*RECONCILE, "--version"), STARTED),
            Bench("--help", (*RECONCILE, "--help"), STARTED),
            Bench(
                f"plan, nothing to do, {FILES} static and {FILES} media files",
                (*RECONCILE, "plan", "--detailed-exitcode", "-f", demo.file),
                IMPORTED,
                most_mib=60,
            ),
        )
        held = [measured(bench, runs) for bench in benches]
        return 0 if all(held) else 1
    finally:
        remove_demo(demo)


def applied_stage() -> DemoHost:
    """The demo's host after an apply, with as many files as the limit is given for."""
    demo = create_demo(tempfile.mkdtemp(prefix="reconcile-bench-"), nginx_binary())
    for number in range(FILES - 1):
        Path(f"{demo.root}/app/static/{number}.css").write_text(f"/* {number} */\n" * 50)
    apply = (*RECONCILE, "apply", "--auto-approve", "-f", demo.file)
    subprocess.run(apply, check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    for number in range(FILES):
        Path(f"{demo.root}/www/media/{number}.txt").write_text("upload\n")
    subprocess.run(apply, check=True, stdout=subprocess.DEVNULL, env=ENVIRONMENT)
    return demo


def measured(bench: Bench, runs: int) -> bool:
    """Run both in turns and print a line; whether the limits hold."""
    timed(bench.command)  # leaves the bytecode
    pairs = [(timed(bench.command), timed(bench.reference)) for _ in range(runs)]
    ours = statistics.median(own.seconds for own, _ in pairs)
    reference = statistics.median(other.seconds for _, other in pairs)
    cpu = statistics.median(own.cpu_seconds / other.cpu_seconds for own, other in pairs)
    mib = max(own.mib for own, _ in pairs)
    holds = ours <= bench.times * reference and (bench.most_mib is None or mib <= bench.most_mib)
    print(
        f"{'ok  ' if holds else 'SLOW'} {bench.name}: {ours * 1000:.0f} ms, "
        f"reference {reference * 1000:.0f} ms, {ours / reference:.2f} x "
        f"(limit {bench.times} x), {cpu:.2f} x the CPU time, {mib:.0f} MiB"
    )
    return holds


def timed(command: tuple[str, ...]) -> Run:
    """One run from start to end, with the most memory that it held."""
    with open(os.devnull, "w") as nowhere:
        began = time.perf_counter()
        process = subprocess.Popen(command, stdout=nowhere, env=ENVIRONMENT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


if __name__ == "__main__":
    sys.exit(main())
