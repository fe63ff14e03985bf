"""How the cost of a command grows with the number of sites.

    python tests/benchmarks/bench_sites.py [FEWER MORE]

Each site has static and media files, five of each, and an nginx file of its own. The CPU time
of each command at both sizes is printed, with their ratio and the peak of memory. Ends with 1
where the ratio shows more than linear growth. Needs nginx and the `demo`
extra.
"""

from __future__ import annotations

import os
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from bench_startup import RECONCILE, Run, timed

from reconcile.cli.demo.demo_host import DemoHost, create_demo, nginx_binary, remove_demo

FEWER, MORE = 200, 1000
GROWTH = 1.1
"""How much more than proportionally the cost may grow."""


@dataclass(frozen=True)
class Job:
    """A command on the host of that state."""

    name: str
    arguments: tuple[str, ...]


JOBS = (
    Job("validate", ("validate",)),
    Job("first plan", ("plan", "--summary")),
    Job("first apply", ("apply", "--auto-approve", "--no-verify", "--summary")),
    Job("plan, nothing to do", ("plan", "--summary")),
)


def main() -> int:
    sizes = [int(one) for one in sys.argv[1:3]] or [FEWER, MORE]
    fewer, more = (measure(size) for size in sizes)
    held = [report(*runs, sizes) for runs in zip(JOBS, fewer, more, strict=True)]
    return 0 if all(held) else 1


def measure(sites: int) -> list[Run]:
    """Each job once, in order, on a host of its own."""
    demo = create_demo(tempfile.mkdtemp(prefix="reconcile-bench-"), nginx_binary())
    try:
        declare_sites(demo, sites)
        return [timed((*RECONCILE, *job.arguments, "-f", demo.file)) for job in JOBS]
    finally:
        remove_demo(demo)


def declare_sites(demo: DemoHost, count: int) -> None:
    """Write that many sites, with their sources and uploads."""
    head = Path(demo.file).read_text().partition("sites:")[0]
    Path(demo.file).write_text(head + "sites:\n" + "".join(site(demo, n) for n in range(count)))
    for number in range(count):
        for folder in (f"{demo.root}/src/s{number}", f"{demo.root}/www/s{number}/media"):
            os.makedirs(folder)
            for name in range(5):
                Path(f"{folder}/{name}.css").write_text(f"/* {number} {name} */\n" * 20)


def site(demo: DemoHost, number: int) -> str:
    folder = f"{demo.root}/www/s{number}"
    return f"""\
  s{number}:
    server_names: [s{number}.localhost]
    listen: [{demo.port}]
    app: {{upstream: "http://127.0.0.1:9"}}
    locations:
      /static/: {{role: static, dir: {folder}/static, source: ./src/s{number}, cache: week}}
      /media/:  {{role: media, dir: {folder}/media, cache: day}}
"""


def report(job: Job, fewer: Run, more: Run, sizes: list[int]) -> bool:
    """Print a line; whether the cost grows linearly."""
    ratio, limit = more.cpu_seconds / fewer.cpu_seconds, GROWTH * sizes[1] / sizes[0]
    print(
        f"{'ok  ' if ratio <= limit else 'SLOW'} {job.name}: {sizes[0]} sites"
        f" {fewer.cpu_seconds:.2f} s CPU, {sizes[1]} sites {more.cpu_seconds:.2f} s,"
        f" {ratio:.1f} x (limit {limit:.1f} x), {more.mib:.0f} MiB",
        flush=True,
    )
    return ratio <= limit


if __name__ == "__main__":
    sys.exit(main())
