"""nginx serves another configuration than the one on the disk."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.evidence import examples
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error, warning
from reconcile.nginx.running.loaded_config import changed_since, read_loaded


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    now = inspection.running
    if now is None:
        yield from _down(inspection)
        return
    if read_loaded(inspection.nginx, now).matches_disk(inspection.nginx):
        return
    yield warning(
        "nginx has not read its configuration since it was last changed.",
        f"its workers ({', '.join(str(worker.pid) for worker in now.workers)}) were started before"
        f" the last change of {examples(changed_since(inspection.nginx, now)) or 'its files'}",
        *(str(line) for line in inspection.error_lines[-50:] if line.level == "emerg"),
        fix="nginx -t && systemctl reload nginx, then look for [emerg] in the error log.",
        by_apply=bool(inspection.declared.sites) and inspection.config_error is None,
    )


def _down(inspection: HostInspection) -> Iterator[RuleResult]:
    # In an image that is being built nothing runs.
    if inspection.host.settings.service_manager != "none":
        yield error(
            "nginx does not run: nobody answers.",
            f"no master process of nginx behind {inspection.nginx.layout.pid_path}",
            fix="nginx -t && systemctl start nginx",
        )


RULE = Rule("stale-live-config", (), check)
