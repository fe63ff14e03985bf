"""What forbids in spite of modes and owners: SELinux, AppArmor, a /tmp of a unit's own."""

from __future__ import annotations

from collections.abc import Iterator

from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.mandatory.by_apparmor import by_apparmor
from reconcile.doctor.mandatory.by_selinux import by_selinux
from reconcile.doctor.mandatory.log import logged
from reconcile.doctor.rule import Rule, RuleResult, error
from reconcile.doctor.unit_sandbox import hidden
from reconcile.doctor.upstream import socket_path
from reconcile.system.security import Security


def look(snapshot: HostInspection) -> Iterator[RuleResult]:
    return found(snapshot, Security())


def found(snapshot: HostInspection, security: Security) -> Iterator[RuleResult]:
    """What all three say, with the security modules as `security` shows them."""
    yield from _hidden_sockets(snapshot)
    logs = logged(snapshot)
    yield from by_selinux(snapshot, security, logs)
    yield from by_apparmor(snapshot, security, logs)


def _hidden_sockets(snapshot: HostInspection) -> Iterator[RuleResult]:
    """A socket in a /tmp that only its unit sees, or that nginx's own unit does not see."""
    nginx = snapshot.units.get("nginx.service")
    for passed in snapshot.passed:
        for path in filter(None, map(socket_path, passed.targets)):
            units = [app.unit for app in snapshot.apps_of(passed.server)]
            for unit in [*units, *([nginx] if nginx else [])]:
                if why := hidden(unit, path):
                    yield error(
                        f"nginx and the app do not see the same {path}.",
                        f"{unit.name}: {why}",
                        f"{passed.place}: {passed.directive.name} {passed.directive.args[0]};",
                        fix="Put the socket below /run (RuntimeDirectory= or a .socket unit).",
                    )


RULE = Rule("selinux-sandbox", ("ST12",), look)
