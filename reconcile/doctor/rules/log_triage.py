"""Failures in nginx's logs, by error number, whose cause persists."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconcile.doctor.access_log_findings import check_access_logs
from reconcile.doctor.denial_causes import denial_cause
from reconcile.doctor.error_log_patterns import find_patterns
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.nginx_error_log import ErrorLogLine
from reconcile.doctor.rule import Rule, RuleResult, caused, error, note
from reconcile.doctor.upstream import local_port, socket_path
from reconcile.doctor.upstream_apps import accepts_connections
from reconcile.wording import counted

ENOENT, EACCES, ENOTDIR = 2, 13, 20
_UPSTREAM = re.compile(r'connect\(\) .*failed \((\d+):.*upstream: "[a-z]+://(.*?)"')
_SOCKET = re.compile(r"^(unix:[^:]*)")
_FORBIDDEN = re.compile(r'"([^"]*)" is forbidden \((\d+):')
_REASONS = {
    2: "its socket is missing",
    13: "nginx may not open its socket",
    111: "nothing listens there",
}


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    """Test each failure of the logs again; report what still fails."""
    lines = tuple(x for x in inspection.nginx.error_lines if _is_inspected(inspection, x))
    yield from _denied_paths(inspection, lines)
    yield from _missing_files(inspection, lines)
    yield from _failed_upstreams(inspection, lines)
    yield from find_patterns(inspection, lines)
    yield from check_access_logs(inspection)


def _is_inspected(inspection: HostInspection, line: ErrorLogLine) -> bool:
    is_any = not inspection.server_names or not line.server
    return is_any or any(line.is_about(server) for server in inspection.servers)


def _denied_paths(
    inspection: HostInspection, lines: tuple[ErrorLogLine, ...]
) -> Iterator[RuleResult]:
    """403 by permissions, where the worker is still denied."""
    found: dict[str, ErrorLogLine] = {}
    for line in lines:
        match = _FORBIDDEN.search(line.message)
        path = line.path if line.errno == EACCES else match[1] if match and match[2] == "13" else ""
        if path.startswith("/") and "connect()" not in line.call:
            found[path] = line
    for path, line in list(found.items())[-3:]:
        if inspection.nginx.disk.kind(path) in ("denied", "unreadable", "unlistable"):
            found_error = error(
                f"nginx is denied access to {path} (13: permission denied).",
                str(line),
                fix=f"Check the permissions of the path: namei -l {path} (see the rule"
                " nginx-read).",
            )
            yield caused(found_error, denial_cause(inspection, path), is_symptom=True)


def _missing_files(
    inspection: HostInspection, lines: tuple[ErrorLogLine, ...]
) -> Iterator[RuleResult]:
    paths = {line.path: line for line in lines if line.errno in (ENOENT, ENOTDIR) and line.path}
    missing = {path: line for path, line in paths.items() if _is_missing(inspection, path)}
    if missing:
        yield note(
            f"nginx did not find {counted(len(missing), 'file')} (404).",
            *(str(line) for line in list(missing.values())[-3:]),
        )


def _is_missing(inspection: HostInspection, path: str) -> bool:
    return path.startswith("/") and inspection.nginx.disk.kind(path) == "missing"


def _failed_upstreams(
    inspection: HostInspection, lines: tuple[ErrorLogLine, ...]
) -> Iterator[RuleResult]:
    found: dict[str, tuple[int, ErrorLogLine]] = {}
    for line in lines:
        if match := _UPSTREAM.search(line.message):
            unix = _SOCKET.match(match[2])
            found[unix[1] if unix else match[2].partition("/")[0]] = (int(match[1]), line)
    used = {target for proxy in inspection.proxy_locations for target in proxy.targets}
    for target, (errno, line) in found.items():
        if target in used and _is_local(target) and not accepts_connections(target):
            found_error = error(
                f"502: nginx cannot connect to {target}: {_REASONS.get(errno, f'error {errno}')}.",
                str(line),
                fix="Start the app, then see the rule socket-chain.",
            )
            cause = f"upstream {socket_path(target) or target}"
            yield caused(found_error, cause, is_symptom=True)


def _is_local(target: str) -> bool:
    return bool(socket_path(target) or local_port(target))


RULE = Rule(
    id="log-triage",
    summary="nginx's logs show failures whose cause persists.",
    severity="error",
    help=(
        "The failures of the logs are tested again, and those that persist are reported "
        "with their lines."
    ),
    reads=("logs", "files", "processes"),
    guide_rows=("CC5", "DB5", "DB6", "DB7"),
    check=check,
)
