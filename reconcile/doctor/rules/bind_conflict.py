"""An address that nginx is to listen on and cannot get by a reload, or not at all."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Inconclusive, Rule, RuleResult, error, warning
from reconcile.nginx.running.listen_check import PortTaken, check_listens


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    master = inspection.running.master_pid if inspection.running else 0
    try:
        because = check_listens(inspection.tree, master).restart_reason
    except PortTaken as taken:
        if inspection.host.is_unprivileged_viewer and "EACCES" in taken.why:
            yield Inconclusive(taken.what, "only root may try to. Run it with sudo.")
            return
        yield error(f"{taken.what}.", taken.why, fix="Stop what holds it, or choose another port.")
        return
    if because:
        yield warning(
            "A reload cannot bring this configuration into force, only a restart.",
            because,
            fix="systemctl restart nginx",
        )


RULE = Rule("bind-conflict", (), check)
