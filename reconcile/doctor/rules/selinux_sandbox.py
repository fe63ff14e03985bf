"""SELinux, AppArmor and a private /tmp deny access whatever owners and modes allow."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.access_denials import check_denials
from reconcile.doctor.denial_causes import hiding, nginx_unit
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error
from reconcile.doctor.unit_sandbox import hiding_setting
from reconcile.doctor.upstream import socket_path
from reconcile.system.selinux import SELinux


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Yield a finding for each denial that still applies, and for sockets in a private /tmp."""
    yield from _hidden_sockets(inspection)
    yield from check_denials(inspection, SELinux())


def _hidden_sockets(inspection: HostInspection) -> Iterator[RuleResult]:
    """A socket that the app makes, or nginx looks for, in a folder of its own."""
    nginx = nginx_unit(inspection)
    for proxy in inspection.proxy_locations:
        for path in filter(None, map(socket_path, proxy.targets)):
            units = [app.unit for app in inspection.apps_behind(proxy.server)]
            reasons = [(unit.name, hiding_setting(unit, path)) for unit in units]
            reasons.append((nginx.name if nginx else "nginx", hiding(inspection, path)))
            for name, why in reasons:
                if why:
                    yield error(
                        f"nginx and the app do not share {path}.",
                        f"{name}: {why}",
                        proxy.evidence,
                        fix="Move the socket to /run (RuntimeDirectory= or a .socket unit).",
                    )


RULE = Rule(
    id="selinux-sandbox",
    summary="SELinux, AppArmor or PrivateTmp= denies what owners and modes allow.",
    severity="error",
    help=(
        "Access is denied whatever owners and modes allow. Change the label, the profile "
        "or the place of the file."
    ),
    reads=("units", "files", "logs"),
    guide_rows=("ST12",),
    check=check,
)
