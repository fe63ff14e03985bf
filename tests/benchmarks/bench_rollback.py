"""Shipping assets anew and taking that back, beside rsync: `bench_rollback.py [FILES]`.

Ours write down how each effect is undone, keep the old files, and are durable when they
end; rsync does the same work without, followed by `sync`. In turn, medians, on ext4.
Needs root and rsync.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bench_files import make, run

from reconcile.engine.history import Actor, HistoryEntry
from reconcile.engine.journal import Journal
from reconcile.engine.ledger import encode
from reconcile.engine.ledger_store import now, read_ledger
from reconcile.engine.rollback import roll_back
from reconcile.resources.assets import Assets
from reconcile.system import Host, HostSettings

ROUNDS = 3
SIZE = 2_000
BEGUN = HistoryEntry(now(), Actor("bench", "bench"), "begun", (), "", "", "", 0.0)

Act = Callable[[], object]


def seconds(act: Act) -> float:
    os.sync()
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


def side_by_side(folder: Path, host: Host, count: int) -> dict[str, list[float]]:
    old, new, static, copy = (folder / name for name in ("old", "new", "static", "copy"))
    for source in (old, new):
        make(source, count, size=SIZE)
    static.mkdir()
    assets = Assets(path=str(static), source=str(old), user="root", group="root")
    assets.planned(host).apply(host, None)
    newer = replace(assets, source=str(new))
    found: dict[str, list[float]] = {}

    def theirs(source: Path) -> None:
        run("rsync", "-a", "--checksum", f"{source}/", copy)
        os.sync()

    theirs(old)
    for _ in range(ROUNDS):
        journal = Journal.begin(host.state, encode(read_ledger(host.state)), BEGUN)
        host.recorder = journal
        for name, act in (
            ("ship", lambda: newer.planned(host).apply(host, None)),
            ("rsync the new, sync", lambda: theirs(new)),
            ("take back", lambda journal=journal: roll_back(journal, host, BEGUN)),
            ("rsync the old, sync", lambda: theirs(old)),
        ):
            found.setdefault(name, []).append(seconds(act))
    return found


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    folder = Path(tempfile.mkdtemp(prefix="bench-rollback-", dir="/var/tmp"))
    folder.chmod(0o755)
    host = Host(HostSettings(service_manager="process", state_dir=str(folder / "state")))
    try:
        for name, all_s in side_by_side(folder, host, count).items():
            print(f"{count:,} files that replace others, {name}: {statistics.median(all_s):.2f} s")
    finally:
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
