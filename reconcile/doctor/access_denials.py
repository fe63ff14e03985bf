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

from reconcile.doctor.evidence import directive_evidence
from reconcile.doctor.rule import Inconclusive, RuleResult, error, note
from reconcile.doctor.upstream import local_port
from reconcile.system.selinux import SELinux
from reconcile.wording import counted

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection
    from reconcile.doctor.location_mapping import LocationMapping
    from reconcile.system.commands import Commands

CONNECT = "httpd_can_network_connect"
MAX_BYTES = 8 << 20
_AUDIT = ("ausearch", "--input-logs", "--message", "AVC", "--start", "boot", "--raw")
_JOURNAL = ("journalctl", "--quiet", "--no-pager", "--boot", "--output=short-unix", "--lines=2000",
            "_TRANSPORT=kernel", "+", "_TRANSPORT=audit")  # fmt: skip
_STAMP = re.compile(r"audit\((\d+\.\d+):")
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


def check_denials(inspection: HostInspection, security: SELinux) -> Iterator[RuleResult]:
    """Yield wrong labels, denials, and ports that nginx may not connect to."""
    enforcing = security.is_enforcing()
    if enforcing:
        yield from _labels(inspection)
        if not any(inspection.host.commands.find(tool[0]) for tool in (_AUDIT, _JOURNAL)):
            yield Inconclusive("SELinux denials", "neither ausearch nor journalctl is installed")
    denials = list(_current_denials(inspection, security))
    for same in _grouped(denials):
        last = same[-1]
        yield error(
            f"{last.module} denied {last.program} {last.permissions} on {last.target},"
            f" {counted(len(same), 'time')} since nginx started.",
            last.line,
            fix=last.fix,
        )
    if enforcing and security.boolean(CONNECT) is False:
        yield from _tcp_upstreams(inspection, known={denial.target for denial in denials})


def _grouped(denials: Sequence[Denial]) -> Iterator[list[Denial]]:
    groups: dict[tuple[str, ...], list[Denial]] = {}
    for denial in denials:
        same = (denial.module, denial.program, denial.permissions, denial.target)
        groups.setdefault(same, []).append(denial)
    yield from groups.values()


def _labels(inspection: HostInspection) -> Iterator[RuleResult]:
    commands = inspection.host.commands
    if commands.find("restorecon") is None:
        yield Inconclusive("SELinux labels", "restorecon is not installed (policycoreutils)")
        return
    for mapping in {one.path: one for one in inspection.mappings_of("static", "media")}.values():
        yield from _wrong_labels(commands, mapping)


def _wrong_labels(commands: Commands, mapping: LocationMapping) -> Iterator[RuleResult]:
    done = commands.run(
        ("restorecon", "-n", "-v", "-R", mapping.path), timeout_s=30, max_bytes=MAX_BYTES
    )
    if wrong := [line for line in done.stdout.splitlines() if "relabel" in line.lower()]:
        yield error(
            f"{mapping.path} has {counted(len(wrong), 'file')} whose SELinux label differs from the"
            " policy.",
            *wrong[:3],
            directive_evidence(mapping.directive),
            fix=f"restorecon -Rv {quote(mapping.path)}",
        )


def _current_denials(inspection: HostInspection, security: SELinux) -> Iterator[Denial]:
    """The denials of nginx and the apps since the workers started that would happen again."""
    since_s = (inspection.nginx.running.oldest_start_s if inspection.nginx.running else None) or 0.0
    is_free = security.boolean(CONNECT) is True
    for denial in map(denial_in, _log_lines(inspection.host.commands)):
        if denial is None or not denial.program.startswith(_PROGRAMS):
            continue
        is_allowed_now = is_free and denial.permissions == "name_connect"
        if denial.at_s >= since_s and not is_allowed_now:
            yield denial


def _log_lines(commands: Commands) -> tuple[str, ...]:
    """Errors: ReconcileError where the log cannot be read, or is too long."""
    tool = next((one for one in (_AUDIT, _JOURNAL) if commands.find(one[0])), None)
    if tool is None:
        return ()
    return tuple(commands.run(tool, timeout_s=30, max_bytes=MAX_BYTES).stdout.splitlines())


def denial_in(line: str) -> Denial | None:
    """The denial that a line of the log reports; None where it reports none."""
    stamp = _STAMP.search(line)
    fields = {name: quoted or plain for name, quoted, plain in _FIELD.findall(line)}
    at_s = float(stamp[1]) if stamp else float("inf")
    program = fields.get("comm", "")
    if fields.get("apparmor") == "DENIED":
        target, operation = fields.get("name", "?"), fields.get("operation", "?")
        return Denial(line, at_s, "AppArmor", program, operation, target, _profile_fix(fields))
    wants = _AVC.search(line)
    # Where SELinux is only permissive, nothing is denied.
    if wants is None or fields.get("permissive") == "1":
        return None
    port = fields.get("dest") or fields.get("src")
    target = f"port {port}" if port else fields.get("path") or fields.get("name") or "?"
    fix = _policy_fix(wants[1], target, program)
    return Denial(line, at_s, "SELinux", program, wants[1], target, fix)


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


def _profile_fix(fields: dict[str, str]) -> str:
    profile = fields.get("profile", "").lstrip("/").replace("/", ".") or "PROFILE"
    mask = "".join(dict.fromkeys(fields.get("denied_mask", "r").translate(_MASK)))
    return (
        f"Add to /etc/apparmor.d/local/{profile}: {fields.get('name', 'what was denied')} {mask},"
        f" and load it: apparmor_parser -r /etc/apparmor.d/{profile}"
    )


_MASK = str.maketrans("cda", "www")
"""A rule's letters for those of the log: create, delete and append are w."""


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
