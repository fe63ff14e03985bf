"""nginx runs with another configuration than the one on the disk, or does not run."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error, warning
from reconcile.nginx.running.loaded_config import changed_since, read_loaded
from reconcile.wording import first_few


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a finding where the workers have not loaded the files on the disk."""
    nginx, running = inspection.nginx.installation, inspection.nginx.running
    if running is None:
        yield from _not_running(inspection)
        return
    if read_loaded(nginx, running).matches_disk(nginx):
        return
    pids = ", ".join(str(worker.pid) for worker in running.workers)
    changed = first_few(changed_since(nginx, running)) or "the files"
    errors = (line for line in inspection.nginx.error_lines[-50:] if line.level == "emerg")
    yield warning(
        "nginx has not loaded its current configuration.",
        f"the workers ({pids}) were started before the last change of {changed}",
        *map(str, errors),
        fix="nginx -t && systemctl reload nginx, then check the error log for [emerg].",
        apply_fixes=bool(inspection.declared.sites) and inspection.nginx.is_accepted,
    )


def _not_running(inspection: HostInspection) -> Iterator[RuleResult]:
    # While an image is built, nothing runs.
    if inspection.host.settings.service_manager != "none":
        yield error(
            "nginx is not running.",
            f"there is no master process for {inspection.nginx.installation.layout.pid_path}",
            fix="nginx -t && systemctl start nginx",
        )


RULE = Rule(
    id="stale-live-config",
    summary="nginx is not running, or has not loaded its current configuration.",
    severity="error",
    help=(
        "Visitors get the configuration that nginx loaded last, not the one on the disk. "
        "Reload it, and check the error log."
    ),
    reads=("configuration", "processes"),
    check=check,
)
