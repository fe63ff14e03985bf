"""nginx cannot bind an address of its configuration: by a reload, or not at all."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Inconclusive, Rule, RuleResult, error, warning
from reconcile.nginx.running.listen_check import PortTaken, check_listens


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error for a port that another process holds, a warning where a restart helps."""
    running = inspection.nginx.running
    try:
        result = check_listens(inspection.nginx.tree, running.master_pid if running else 0)
    except PortTaken as taken:
        if inspection.host.is_unprivileged_viewer and "EACCES" in taken.why:
            yield Inconclusive(taken.what, "only root may bind it. Run it with sudo.")
            return
        yield error(
            f"{taken.what}.", taken.why, fix="Stop the process that holds it, or use another port."
        )
        return
    if result.restart_reason:
        yield warning(
            "A reload cannot apply this configuration; nginx needs a restart.",
            result.restart_reason,
            fix="systemctl restart nginx",
        )


RULE = Rule(
    id="bind-conflict",
    summary="nginx cannot bind an address of its configuration.",
    severity="error",
    help=(
        "nginx cannot listen on an address, so a start fails, or a reload is ignored. "
        "Free the port, or restart nginx."
    ),
    reads=("configuration", "processes"),
    check=check,
)
