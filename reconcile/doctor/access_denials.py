"""Denials by SELinux and AppArmor, read with the platform's own tools.

`restorecon -n` compares labels with the policy, `ausearch` has the denials; without auditd they are
in the kernel's part of the journal. Source: restorecon(8), ausearch(8), httpd_selinux(8),
apparmor.d(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import TYPE_CHECKING

from reconcile.doctor.apparmor_profile import profile_fix
from reconcile.doctor.rule import Inconclusive, RuleResult, caused, error, note
from reconcile.doctor.selinux_labels import MAX_BYTES, check_labels, label_cause
from reconcile.doctor.upstream import local_port
from reconcile.filesystem.path import is_inside
from reconcile.system.selinux import SELinux, label_of
from reconcile.wording import counted

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection
    from reconcile.system.commands import Commands

CONNECT = "httpd_can_network_connect"
_AUDIT = ("ausearch", "--input-logs", "--message", "AVC", "--start", "boot", "--raw")
_JOURNAL = ("journalctl", "--quiet", "--no-pager", "--boot", "--output=short-unix", "--lines=2000",
            "_TRANSPORT=kernel", "+", "_TRANSPORT=audit")  # fmt: skip
_STAMP = re.compile(r"audit\((\d+\.\d+):|^(\d{9,}\.\d+) ")
"""The time of a record: its own, else that of the journal."""
_FIELD = re.compile(r'(\w+)=(?:"([^"]*)"|(\S+))')
_AVC = re.compile(r"avc:\s+denied\s+\{ ([^}]*) \}\s+for\s")
_PROGRAMS = ("nginx", "gunicorn", "uwsgi", "uvicorn", "hypercorn")


@dataclass(frozen=True)
class Denial:
    """A denial of the log; `permissions` are those of SELinux, or an operation of AppArmor."""

    line: str
    at_s: float
    module: str
    program: str
    permissions: str
    target: str
    fix: str
    cause: str = ""
    query: tuple[str, str, str] = ("", "", "")
    """The contexts of the process and of the target, and the target's class, of SELinux."""
    inode: int = 0


def check_denials(inspection: HostInspection, security: SELinux) -> Iterator[RuleResult]:
    """Yield wrong labels, denials, and ports that nginx may not connect to."""
    enforcing = security.is_enforcing()
    if enforcing:
        yield from check_labels(inspection, security)
        if not any(inspection.host.commands.find(tool[0]) for tool in (_AUDIT, _JOURNAL)):
            yield Inconclusive("SELinux denials", "neither ausearch nor journalctl is installed")
    denials = list(_current_denials(inspection, security))
    for same in _grouped(denials):
        last = same[-1]
        found = error(
            f"{last.module} denied {last.program} {last.permissions} on {last.target},"
            f" {counted(len(same), 'time')} since nginx started.",
            last.line,
            *_directive_of(inspection, last.target),
            fix=last.fix,
        )
        yield caused(found, last.cause, is_symptom=last.cause.startswith("label "))
    if enforcing and security.boolean(CONNECT) is False:
        yield from _tcp_upstreams(inspection, known={denial.target for denial in denials})


def _grouped(denials: Sequence[Denial]) -> Iterator[list[Denial]]:
    groups: dict[tuple[str, ...], list[Denial]] = {}
    for denial in denials:
        same = (denial.module, denial.program, denial.permissions, denial.target)
        groups.setdefault(same, []).append(denial)
    yield from groups.values()


def _current_denials(inspection: HostInspection, security: SELinux) -> Iterator[Denial]:
    """The denials of nginx and the apps since the workers started that would happen again."""
    since_s = (inspection.nginx.running.oldest_start_s if inspection.nginx.running else None) or 0.0
    lines = _log_lines(inspection.host.commands)
    loaded = dict(filter(None, map(loaded_profile, lines)))
    for denial in map(denial_in, lines):
        if denial is None or not denial.program.startswith(_PROGRAMS):
            continue
        since = max(since_s, loaded.get(denial.cause, 0.0))
        if denial.at_s >= since and not _is_allowed_now(inspection, security, denial):
            yield denial


def _is_allowed_now(inspection: HostInspection, security: SELinux, denial: Denial) -> bool:
    """Whether the policy, a boolean or the label of the file was changed since."""
    if denial.permissions == "name_connect" and security.boolean(CONNECT):
        return True
    process, target, kind = denial.query
    if not process:
        return False
    path = denial.target if denial.target.startswith("/") else _path_of(inspection, denial)
    label = (label_of(path) if path else "") or target
    return security.denied(process, label, kind, denial.permissions.split()) == frozenset()


def _path_of(inspection: HostInspection, denial: Denial) -> str:
    """The served file that a denial names by its last name and inode alone; "" for another."""
    for mapping in inspection.mappings:
        found = inspection.inventory(mapping.path)
        for item in found.items if found else ():
            if item.stat.ino == denial.inode and item.path.rpartition("/")[2] == denial.target:
                return f"{mapping.path}/{item.path}"
    return ""


def _directive_of(inspection: HostInspection, path: str) -> list[str]:
    """The directive of the location that serves a path."""
    serving = [one for one in inspection.mappings if is_inside(path, one.path)]
    return [max(serving, key=lambda one: len(one.path)).evidence] if serving else []


def _log_lines(commands: Commands) -> tuple[str, ...]:
    """Errors: ReconcileError where the log cannot be read, or is too long."""

    def read(tool: Sequence[str]) -> list[str]:
        """What a tool prints; nothing where it is not installed."""
        if commands.find(tool[0]) is None:
            return []
        return commands.run(tool, timeout_s=30, max_bytes=MAX_BYTES).stdout.splitlines()

    has_audit = commands.find(_AUDIT[0]) is not None
    # Debian's ausearch passes over what AppArmor writes, and the journal has SELinux's as well.
    journal = (line for line in read(_JOURNAL) if not has_audit or "apparmor=" in line)
    return (*read(_AUDIT), *journal)


def denial_in(line: str) -> Denial | None:
    """The denial that a line of the log reports; None where it reports none."""
    stamp = _STAMP.search(line)
    fields = {name: quoted or plain for name, quoted, plain in _FIELD.findall(line)}
    at_s = float(stamp[1] or stamp[2]) if stamp else float("inf")
    program = fields.get("comm", "")
    if fields.get("apparmor") == "DENIED":
        target, operation = fields.get("name", "?"), fields.get("operation", "?")
        cause = _profile_cause(fields)
        fix = profile_fix(fields.get("profile", ""), target, fields.get("denied_mask", "r"))
        return Denial(line, at_s, "AppArmor", program, operation, target, fix, cause)
    wants = _AVC.search(line)
    # Where SELinux is only permissive, nothing is denied.
    if wants is None or fields.get("permissive") == "1":
        return None
    port = fields.get("dest") or fields.get("src")
    target = f"port {port}" if port else fields.get("path") or fields.get("name") or "?"
    fix = _policy_fix(wants[1], target, program)
    query = (fields.get("scontext", ""), fields.get("tcontext", ""), fields.get("tclass", ""))
    is_file = query[2] in ("file", "dir", "lnk_file")
    cause = label_cause(query[1]) if is_file else f"SELinux {target}"
    inode = int(fields.get("ino", "0"))
    return Denial(line, at_s, "SELinux", program, wants[1], target, fix, cause, query, inode)


def loaded_profile(line: str) -> tuple[str, float] | None:
    """The cause of denials that were ended when a profile was loaded, and when that was."""
    stamp = _STAMP.search(line)
    if stamp is None or 'apparmor="STATUS"' not in line:
        return None
    fields = {name: quoted or plain for name, quoted, plain in _FIELD.findall(line)}
    return f"profile {fields.get('name', '')}", float(stamp[1] or stamp[2])


def _profile_cause(fields: dict[str, str]) -> str:
    return f"profile {fields.get('profile', '')}"


def _policy_fix(wants: str, target: str, program: str) -> str:
    if "name_connect" in wants:
        return f"setsebool -P {CONNECT} 1"
    if "name_bind" in wants:
        return f"semanage port -a -t http_port_t -p tcp {target.removeprefix('port ')}"
    explain = f"ausearch -m AVC -c {quote(program)} --raw | audit2why"
    if target.startswith("/"):
        return (
            f"restorecon -v {quote(target)}; where the policy does not know the folder: semanage"
            f" fcontext -a -t httpd_sys_content_t 'FOLDER(/.*)?' (httpd_sys_rw_content_t for"
            f" uploads), then restorecon -Rv FOLDER. {explain} explains it."
        )
    return f"{explain}  # explains it"


def _tcp_upstreams(inspection: HostInspection, known: set[str]) -> Iterator[RuleResult]:
    """Upstreams over TCP, where the policy lets nginx connect to few ports."""
    for proxy in inspection.proxy_locations:
        for target in proxy.targets:
            port = local_port(target)
            if port and f"port {port}" not in known:
                yield note(
                    f"{CONNECT} is off: SELinux may keep nginx from {target}.",
                    proxy.evidence,
                    fix=f"If requests return 502: setsebool -P {CONNECT} 1",
                )
