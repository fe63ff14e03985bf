"""nginx serves another configuration than the one on the disk."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.evidence import examples
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error, warning
from reconcile.nginx.running.loaded_config import changed_since, read_loaded


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    now = snapshot.running
    if now is None:
        yield from _down(snapshot)
        return
    if read_loaded(snapshot.nginx, now).matches_disk(snapshot.nginx):
        return
    yield warning(
        "nginx has not read its configuration since it was last changed.",
        f"its workers ({', '.join(str(worker.pid) for worker in now.workers)}) were started before"
        f" the last change of {examples(changed_since(snapshot.nginx, now)) or 'its files'}",
        *(str(line) for line in snapshot.error_lines[-50:] if line.level == "emerg"),
        fix="nginx -t && systemctl reload nginx, then look for [emerg] in the error log.",
        by_apply=bool(snapshot.declared.sites) and snapshot.refusal is None,
    )


def _down(snapshot: HostInspection) -> Iterator[RuleResult]:
    # In an image that is being built nothing runs.
    if snapshot.host.settings.service_manager != "none":
        yield error(
            "nginx does not run: nobody answers.",
            f"no master process of nginx behind {snapshot.nginx.layout.pid_path}",
            fix="nginx -t && systemctl start nginx",
        )


RULE = Rule("stale-live-config", (), look)
