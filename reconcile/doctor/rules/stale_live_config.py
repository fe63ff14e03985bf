"""nginx serves another configuration than the one on the disk."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.model import Rule, Said, warning
from reconcile.doctor.snapshot import Snapshot
from reconcile.nginx.live import read_live


def look(snapshot: Snapshot) -> Iterator[Said]:
    now = snapshot.running
    if now is None or read_live(snapshot.nginx, now).is_disk(snapshot.nginx):
        return
    yield warning(
        "nginx runs with an older configuration than the one on the disk.",
        f"its workers ({', '.join(str(worker.pid) for worker in now.workers)}) were started before"
        " the last change of its files",
        *(str(line) for line in snapshot.error_lines[-50:] if line.level == "emerg"),
        fix="nginx -t && systemctl reload nginx, then look for [emerg] in the error log.",
        by_apply=bool(snapshot.declared.sites),
    )


RULE = Rule("stale-live-config", (), look)
