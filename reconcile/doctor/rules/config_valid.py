"""nginx itself refuses the configuration on the disk."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Inconclusive, Rule, RuleResult, error


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    refusal = inspection.config_error
    if refusal is None:
        return
    if inspection.host.is_unprivileged_viewer and "Permission denied" in refusal.message:
        yield Inconclusive("nginx -t", f"{refusal.message}. Run it with sudo.")
    else:
        yield error(
            "nginx refuses its configuration: a reload keeps the old one, a restart ends in no"
            " nginx at all.",
            f"{refusal.position}: {refusal.message}",
            fix=f"Mend {refusal.position}, then: nginx -t && systemctl reload nginx",
        )


RULE = Rule("config-valid", ("DB1", "CL7"), check)
