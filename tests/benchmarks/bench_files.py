"""Trees and assets beside find, cp and rsync, in one run: `python tests/benchmarks/bench_files.py`.

Each pair is run in turn, several times, on a warm cache; medians are compared.
Needs root, rsync, and about 1 GB and 3 minutes for a million files.
"""

from __future__ import annotations

import argparse
import gc
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from reconcile.cli.demo.demo_host import DemoHost, create_demo, nginx_binary, remove_demo
from reconcile.filesystem.undo import Undo
from reconcile.resources.assets import Assets
from reconcile.resources.tree import Tree
from reconcile.system import Host, HostSettings
from tests.support.completed import completed

WEB = "www-data"
PER_FOLDER = 1_000
ROUNDS = 5
RECONCILE = (sys.executable, "-m", "reconcile")

Act = Callable[[], object]


class Discarding:
    """A recorder that remembers nothing, so that only the work itself is measured."""

    id = "bench"

    def __init__(self, host: Host) -> None:
        self.keep_dir = host.state.make_directory("journal/bench/keep")

    def record_undo(self, *undos: Undo) -> None:
        return


@dataclass(frozen=True)
class Row:
    job: str
    ours_s: float
    peer: str
    peer_s: float
    bar: float

    def __str__(self) -> str:
        ratio = self.ours_s / self.peer_s
        verdict = "within" if ratio <= self.bar else "above"
        return (
            f"{self.job:<42} {self.ours_s:7.3f} s  {self.peer:<28} {self.peer_s:7.3f} s"
            f"  x{ratio:4.2f}  ({verdict} {self.bar})"
        )


def seconds(act: Act) -> float:
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def side_by_side(
    job: str, ours: Act, peer: str, theirs: Act, bar: float, start_up_s: float = 0.0
) -> Row:
    """Medians of runs in turn, so that a busy machine slows both."""
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS)]
    return Row(
        job,
        statistics.median(p[0] for p in pairs),
        peer,
        start_up_s + statistics.median(p[1] for p in pairs),
        bar,
    )


def run(*argv: object, cwd: str = "/") -> None:
    subprocess.run([str(one) for one in argv], check=True, stdout=subprocess.DEVNULL, cwd=cwd)


def make(root: Path, count: int, size: int = 0) -> None:
    for start in range(0, count, PER_FOLDER):
        folder = root / f"{start // PER_FOLDER // 32:03}" / f"{start // PER_FOLDER % 32:02}"
        folder.mkdir(parents=True, exist_ok=True)
        for number in range(start, min(start + PER_FOLDER, count)):
            (folder / f"f{number:07}.jpg").write_bytes(os.urandom(size))


def trees(folder: Path, host: Host, count: int) -> list[Row]:
    root = folder / "media"
    make(root, count)
    run("chown", "-R", f"{WEB}:{WEB}", root)
    tree = Tree(path=str(root), user=WEB, group=WEB)
    wrong = ("(", "!", "-user", WEB, "-o", "!", "-group", WEB, "-o", "!", "-perm", "644", ")")
    check = side_by_side(
        f"check {count:,} converged files",
        lambda: tree.observe(host),
        "find with the same predicates",
        lambda: run("find", root, "-type", "f", *wrong),
        1.0,
    )
    spoiled = [str(path) for path in sorted(root.rglob("*.jpg"))[:: count // 100][:100]]

    def repair() -> None:
        for path in spoiled:
            os.chmod(path, 0o600)
        before = tree.observe(host)
        assert before is not None
        completed(tree, before, host).apply(host, before)
        tree.refresh(host, before)

    return [
        check,
        side_by_side(
            f"repair 100 of {count:,}", repair, "the check alone", lambda: tree.observe(host), 1.2
        ),
    ]


def command(folder: Path, media: Path, count: int) -> Iterator[Row | str]:
    """`reconcile plan` as a whole, on the demo's host with `media` among its uploads."""
    (folder / "demo").mkdir()
    demo = create_demo(str(folder / "demo"), nginx_binary())
    try:
        run(*RECONCILE, "apply", "--auto-approve", cwd=demo.root)
        plan = partial(run, *RECONCILE, "plan", "--detailed-exitcode", cwd=demo.root)
        bare = statistics.median(seconds(plan) for _ in range(ROUNDS))
        uploads = Path(demo.root, "www/media")
        run("chown", "-R", f"--reference={uploads}", media)
        media.rename(uploads / "many")
        owner, group = uploads.owner(), uploads.group()
        wrong = ("(", "!", "-user", owner, "-o", "!", "-group", group, "-o", "!", "-perm", "644")
        yield side_by_side(
            f"reconcile plan, {count:,} files",
            plan,
            "find, and a plan of no files",
            lambda: run("find", uploads, "-type", "f", *wrong, ")"),
            1.0,
            start_up_s=bare,
        )
        yield f"peak memory of `reconcile plan` with {count:,} files: {peak_mb(demo):.0f} MB"
        (uploads / "many").rename(media)
    finally:
        remove_demo(demo)


def peak_mb(demo: DemoHost) -> float:
    """The most that a plan and all that it forks hold at once; shared pages count once."""
    process = subprocess.Popen([*RECONCILE, "plan"], cwd=demo.root, stdout=subprocess.DEVNULL)
    return max(sampled_mb(process.pid, lambda: process.poll() is None))


def sampled_mb(pid: int, goes_on: Act) -> Iterator[float]:
    yield 0
    while goes_on():
        yield sum(map(resident_kb, (pid, *children(pid)))) / 1024


def children(pid: int) -> list[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        tasks = [Path(task, "children").read_text() for task in Path(f"/proc/{pid}/task").iterdir()]
    except FileNotFoundError:
        return []
    return [int(child) for child in {*text.split(), *" ".join(tasks).split()}]


def resident_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def linear(host: Host, few: Path, many: Path, counts: tuple[int, int]) -> str:
    """How the cost of one file changes with their number."""

    def cost(root: Path, count: int) -> float:
        tree = Tree(path=str(root), user=WEB, group=WEB)
        return statistics.median(seconds(lambda: tree.observe(host)) for _ in range(9)) / count

    small, large = cost(few, counts[0]), cost(many, counts[1])
    return (
        f"a file costs {small * 1e6:.2f} us among {counts[0]:,} and {large * 1e6:.2f} us"
        f" among {counts[1]:,} (x{large / small:.2f}, at most 1.15)"
    )


def first_copy(folder: Path, host: Host, count: int) -> Row:
    source = folder / "first"
    make(source, count, size=2_000)
    wanted = Assets(path="/", source=str(source), user="root", group="root")
    fresh, copy = folder / "fresh", folder / "copied"

    def first() -> None:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        replace(wanted, path=str(fresh)).planned(host).apply(host, None)

    def theirs() -> None:
        shutil.rmtree(copy, ignore_errors=True)
        run("rsync", "-a", f"{source}/", copy)
        os.sync()

    return side_by_side(
        f"first copy of {count:,} files, durable", first, "rsync -a, sync", theirs, 1.5
    )


def no_op(folder: Path, host: Host, count: int) -> Iterator[Row | str]:
    folder /= f"assets-{count}"
    source, root, copy = folder / "source", folder / "static", folder / "copy"
    make(source, count, size=2_000)
    wanted = Assets(path=str(root), source=str(source), user="root", group="root")
    root.mkdir()
    wanted.planned(host).apply(host, None)
    run("rsync", "-a", f"{source}/", copy)
    yield side_by_side(
        f"compare {count:,} copied files",
        lambda: wanted.observe(host),
        "rsync -an --delete",
        lambda: run("rsync", "-an", "--delete", f"{source}/", copy),
        1.5,
    )
    yield f"peak memory of comparing {count:,} copied files: {comparing_mb(wanted, host):.0f} MB"


def comparing_mb(wanted: Assets, host: Host) -> float:
    """The most that a process and all that it forks hold while it compares."""
    process = os.fork()
    if process == 0:
        for _ in range(ROUNDS):
            wanted.observe(host)
        os._exit(0)
    return max(sampled_mb(process, lambda: os.waitpid(process, os.WNOHANG) == (0, 0)))


def small(folder: Path, host: Host) -> str:
    """What 100 static and 100 media files add to a plan."""
    source, root, media = folder / "s", folder / "r", folder / "m"
    make(source, 100, size=500)
    make(media, 100)
    root.mkdir()
    run("chown", "-R", f"{WEB}:{WEB}", media)
    static = Assets(path=str(root), source=str(source), user="root", group="root")
    static.planned(host).apply(host, None)
    uploads = Tree(path=str(media), user=WEB, group=WEB)
    best = min(seconds(lambda: (static.observe(host), uploads.observe(host))) for _ in range(20))
    return f"100 static and 100 media files add {best * 1000:.1f} ms to a plan with nothing to do"


def rows_of_trees(folder: Path, host: Host, counts: list[int]) -> Iterator[Row | str]:
    for count in counts:
        yield from trees(folder / str(count), host, count)
    few, many = (folder / str(count) / "media" for count in (counts[0], counts[-1]))
    yield linear(host, few, many, (counts[0], counts[-1]))
    for count in counts[1:]:
        yield from command(folder / str(count), folder / str(count) / "media", count)


def rows_of_assets(folder: Path, host: Host, counts: list[int]) -> Iterator[Row | str]:
    yield first_copy(folder, host, 10_000)
    for count in counts:
        yield from no_op(folder, host, count)


def show(rows: Iterator[Row | str]) -> None:
    for row in rows:
        print(row, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--assets", type=int, nargs="+", default=[10_000, 100_000])
    parser.add_argument("--only", choices=("trees", "assets"))
    parser.add_argument("--folder", default="/var/tmp")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-files-", dir=chosen.folder))
    folder.chmod(0o755)
    gc.set_threshold(50_000)  # as the command line does
    host = Host(HostSettings(service_manager="process", state_dir=str(folder / "state")))
    host.recorder = Discarding(host)
    try:
        print(small(folder, host), flush=True)
        if chosen.only != "assets":
            show(rows_of_trees(folder, host, chosen.files))
        if chosen.only != "trees":
            show(rows_of_assets(folder, host, chosen.assets))
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
