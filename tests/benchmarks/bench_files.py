"""Trees and assets beside find, cp and rsync, in one run: `python tests/benchmarks/bench_files.py`.

Each pair is run in turn, several times, on a warm cache; medians are compared.
Needs root, and about 1 GB for the million files of `--files 1000000`.
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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reconcile.host import Host, HostSettings
from reconcile.host.undo import Undo
from reconcile.kinds.assets import Assets
from reconcile.kinds.tree import Tree

WEB = "www-data"
PER_FOLDER = 1_000
ROUNDS = 5

Act = Callable[[], object]


class Discarding:
    """A recorder that remembers nothing, so that only the work itself is measured."""

    id = "bench"

    def __init__(self, host: Host) -> None:
        self.keep_dir = host.state.make("journal/bench/keep")

    def intend(self, *undos: Undo) -> None:
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


def side_by_side(job: str, ours: Act, peer: str, theirs: Act, bar: float) -> Row:
    """Medians of runs in turn, so that a busy machine slows both."""
    pairs = [(seconds(ours), seconds(theirs)) for _ in range(ROUNDS)]
    return Row(
        job, statistics.median(p[0] for p in pairs), peer,
        statistics.median(p[1] for p in pairs), bar,
    )  # fmt: skip


def run(*argv: object) -> None:
    subprocess.run([str(one) for one in argv], check=True, stdout=subprocess.DEVNULL)


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
        f"check {count:,} converged files", lambda: tree.observe(host),
        "find with the same predicates", lambda: run("find", root, "-type", "f", *wrong), 1.0,
    )  # fmt: skip
    spoiled = [str(path) for path in sorted(root.rglob("*.jpg"))[:: count // 100][:100]]

    def repair() -> None:
        for path in spoiled:
            os.chmod(path, 0o600)
        before = tree.observe(host)
        assert before is not None
        tree.completed(before).put(host, before)
        tree.reread(host, before)

    return [check, side_by_side(
        f"repair 100 of {count:,}", repair, "the check alone", lambda: tree.observe(host), 1.2
    )]  # fmt: skip


def assets(folder: Path, host: Host, count: int) -> list[Row]:
    source, root = folder / "source", folder / "static"
    make(source, count, size=2_000)
    wanted = Assets(path=str(root), source=str(source), user="root", group="root")
    fresh, copy = folder / "fresh", folder / "copy"
    peer = ("rsync", "-a") if shutil.which("rsync") else ("cp", "-a")

    def first() -> None:
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir()
        wanted.model_copy(update={"path": str(fresh)}).put(host, None)

    def theirs() -> None:
        shutil.rmtree(copy, ignore_errors=True)
        run(*peer, f"{source}/" if peer[0] == "rsync" else source, copy)
        os.sync()

    rows = [side_by_side(
        f"first copy of {count:,} files, durable", first, f"{' '.join(peer)}, sync", theirs, 1.5
    )]  # fmt: skip
    root.mkdir()
    wanted.put(host, None)
    again: tuple[object, ...] = ("rsync", "-an", "--delete", f"{source}/", copy)
    name, act = "rsync -an --delete", lambda: run(*again)
    if peer[0] != "rsync":
        name, act = "find of both, sizes and times", lambda: run(
            "find", source, copy, "-printf", "%s %T@ %p\n"
        )  # fmt: skip
    rows.append(side_by_side(
        f"compare {count:,} copied files", lambda: wanted.observe(host), name, act, 1.5
    ))  # fmt: skip
    return rows


def small(folder: Path, host: Host) -> str:
    """What 100 static and 100 media files add to a plan."""
    source, root, media = folder / "s", folder / "r", folder / "m"
    make(source, 100, size=500)
    make(media, 100)
    root.mkdir()
    run("chown", "-R", f"{WEB}:{WEB}", media)
    static = Assets(path=str(root), source=str(source), user="root", group="root")
    static.put(host, None)
    uploads = Tree(path=str(media), user=WEB, group=WEB)
    best = min(seconds(lambda: (static.observe(host), uploads.observe(host))) for _ in range(20))
    return f"100 static and 100 media files add {best * 1000:.1f} ms to a plan with nothing to do"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--assets", type=int, default=10_000)
    parser.add_argument("--folder", default="/var/tmp")
    chosen = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="bench-files-", dir=chosen.folder))
    host = Host(HostSettings(service_manager="process", state_dir=str(folder / "state")))
    host.recorder = Discarding(host)
    try:
        print(small(folder, host))
        for row in (*trees(folder, host, chosen.files), *assets(folder, host, chosen.assets)):
            print(row)
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    sys.exit(main())
