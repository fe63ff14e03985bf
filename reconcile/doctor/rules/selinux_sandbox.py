"""What forbids in spite of modes and owners: SELinux, AppArmor, a /tmp of a unit's own."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconcile.doctor.evidence import quoted
from reconcile.doctor.mapping import Mapped
from reconcile.doctor.model import Rule, Said, error
from reconcile.doctor.sandbox import hidden
from reconcile.doctor.snapshot import Snapshot
from reconcile.doctor.upstream import socket_path
from reconcile.host.tail import tail

LOG_BYTES = 256 << 10
_LOGS = ("/var/log/audit/audit.log", "/var/log/kern.log")
_STAMP = re.compile(r"audit\((\d+\.\d+):")
_SELINUX = re.compile(r'avc:\s+denied\s+\{ ([^}]*) \}.*comm="((?:nginx|gunicorn)[^"]*)"')
_APPARMOR = re.compile(
    r'apparmor="DENIED".*?profile="([^"]*(?:nginx|gunicorn)[^"]*)".*?name="([^"]*)"'
)


def look(snapshot: Snapshot) -> Iterator[Said]:
    yield from _hidden_sockets(snapshot)
    for log in _LOGS:
        lines = tuple(x for x in tail(log, LOG_BYTES) if _is_recent(snapshot, x))
        yield from _denials(snapshot, log, lines)


def _hidden_sockets(snapshot: Snapshot) -> Iterator[Said]:
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


def _denials(snapshot: Snapshot, log: str, lines: tuple[str, ...]) -> Iterator[Said]:
    enforced = _is_enforcing(snapshot)
    selinux = [line for line in lines if _SELINUX.search(line)] if enforced else []
    if selinux:
        folders = " ".join(quoted(mapped.path) for mapped in _served(snapshot))
        yield error(
            "SELinux denied nginx or the app.",
            f"{log}: {selinux[-1]}",
            fix=f"semanage fcontext and restorecon -R {folders} (httpd_sys_content_t to read,"
            " httpd_sys_rw_content_t to write).",
        )
    apparmor = [line for line in lines if _APPARMOR.search(line)]
    if apparmor:
        match = _APPARMOR.search(apparmor[-1])
        profile = match[1] if match else ""
        yield error(
            "AppArmor denied nginx or the app.",
            f"{log}: {apparmor[-1]}",
            fix=f"Allow {match[2] if match else 'it'} in the profile {profile}, then reload it:"
            " apparmor_parser -r.",
        )


def _is_recent(snapshot: Snapshot, line: str) -> bool:
    """Whether it was denied to the nginx that runs now: what came before may be mended."""
    stamp = _STAMP.search(line)
    born = snapshot.running.oldest_start_s if snapshot.running else None
    return stamp is None or born is None or float(stamp[1]) >= born


def _served(snapshot: Snapshot) -> tuple[Mapped, ...]:
    return snapshot.of_role("static", "media")


def _is_enforcing(snapshot: Snapshot) -> bool:
    """Whether SELinux forbids anything here; without its tools there is nothing to say."""
    commands = snapshot.host.commands
    if commands.find("getenforce") is None:
        return False
    return commands.run(("getenforce",)).stdout.strip() == "Enforcing"


RULE = Rule("selinux-sandbox", ("ST12",), look)
