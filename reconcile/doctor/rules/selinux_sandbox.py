"""What forbids in spite of modes and owners: SELinux, AppArmor, a /tmp of a unit's own."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.access_denials import check_denials
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.rule import Rule, RuleResult, error
from reconcile.doctor.unit_sandbox import hiding_setting
from reconcile.doctor.upstream import socket_path
from reconcile.system.lsm import Security


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    yield from _hidden_sockets(inspection)
    yield from check_denials(inspection, Security())


def _hidden_sockets(inspection: HostInspection) -> Iterator[RuleResult]:
    """A socket in a /tmp that only its unit sees, or that nginx's own unit does not see."""
    nginx = inspection.units.get("nginx.service")
    for proxy in inspection.proxy_locations:
        for path in filter(None, map(socket_path, proxy.targets)):
            units = [app.unit for app in inspection.apps_behind(proxy.server)]
            for unit in [*units, *([nginx] if nginx else [])]:
                if why := hiding_setting(unit, path):
                    yield error(
                        f"nginx and the app do not see the same {path}.",
                        f"{unit.name}: {why}",
                        proxy.evidence,
                        fix="Put the socket below /run (RuntimeDirectory= or a .socket unit).",
                    )


RULE = Rule("selinux-sandbox", ("ST12",), check)
