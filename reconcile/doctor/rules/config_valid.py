"""nginx rejects the configuration on the disk: `nginx -t` fails."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Inconclusive, Rule, RuleResult, error


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield an error where `nginx -t` fails."""
    found = inspection.nginx.config_error
    if found is None:
        return
    if inspection.host.is_unprivileged_viewer and "Permission denied" in found.message:
        yield Inconclusive("nginx -t", f"{found.message}. Run it with sudo.")
    else:
        yield error(
            "nginx rejects its configuration: a reload keeps the old one; a restart would leave"
            " nginx down.",
            f"{found.position}: {found.message}",
            fix=f"Fix {found.position}, then: nginx -t && systemctl reload nginx",
        )


RULE = Rule("config-valid", "nginx rejects its configuration.", "error", ("DB1", "CL7"), check)
