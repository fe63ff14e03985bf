"""What nginx's logs say, by the number of the error, where its cause still holds."""

from __future__ import annotations

import re
from collections.abc import Iterator

from reconcile.doctor.access_log_findings import check_access_logs
from reconcile.doctor.error_log_patterns import find_patterns
from reconcile.doctor.evidence import counted
from reconcile.doctor.inspection import HostInspection
from reconcile.doctor.logs import LogLine
from reconcile.doctor.rule import Rule, RuleResult, error, note
from reconcile.doctor.upstream import local_port, socket_path

ENOENT, EACCES, ENOTDIR = 2, 13, 20
_UPSTREAM = re.compile(r'connect\(\) .*failed \((\d+):.*upstream: "[a-z]+://(.*?)"')
_SOCKET = re.compile(r"^(unix:[^:]*)")
_FORBIDDEN = re.compile(r'"([^"]*)" is forbidden \((\d+):')
_MEANS = {2: "its socket is missing", 13: "nginx may not open its socket", 111: "nobody listens"}


def check(inspection: HostInspection) -> Iterator[RuleResult]:
    lines = tuple(line for line in inspection.error_lines if _is_asked_about(inspection, line))
    yield from _denied(inspection, lines)
    yield from _missing(inspection, lines)
    yield from _upstreams(inspection, lines)
    yield from find_patterns(inspection, lines)
    yield from check_access_logs(inspection)


def _is_asked_about(inspection: HostInspection, line: LogLine) -> bool:
    is_any = not inspection.server_names or not line.server
    return is_any or any(line.is_about(server) for server in inspection.servers)


def _denied(inspection: HostInspection, lines: tuple[LogLine, ...]) -> Iterator[RuleResult]:
    """403 by permissions: told as long as the worker is still refused there."""
    seen: dict[str, LogLine] = {}
    for line in lines:
        found = _FORBIDDEN.search(line.said)
        path = line.path if line.errno == EACCES else found[1] if found and found[2] == "13" else ""
        if path.startswith("/") and "connect()" not in line.call:
            seen[path] = line
    for path, line in list(seen.items())[-3:]:
        if inspection.disk.kind(path) == "denied":
            yield error(
                f"nginx was refused {path} (13: permission denied), and still is.",
                str(line),
                fix=f"Look at the way down with: namei -l {path} (see the rule nginx-read).",
            )


def _missing(inspection: HostInspection, lines: tuple[LogLine, ...]) -> Iterator[RuleResult]:
    paths = {line.path: line for line in lines if line.errno in (ENOENT, ENOTDIR) and line.path}
    gone = {path: line for path, line in paths.items() if _is_gone(inspection, path)}
    if gone:
        yield note(
            f"nginx looked for {counted(gone, 'file')} in vain (404).",
            *(str(line) for line in list(gone.values())[-3:]),
        )


def _is_gone(inspection: HostInspection, path: str) -> bool:
    return path.startswith("/") and inspection.disk.kind(path) == "missing"


def _upstreams(inspection: HostInspection, lines: tuple[LogLine, ...]) -> Iterator[RuleResult]:
    seen: dict[str, tuple[int, LogLine]] = {}
    for line in lines:
        if match := _UPSTREAM.search(line.said):
            unix = _SOCKET.match(match[2])
            seen[unix[1] if unix else match[2].partition("/")[0]] = (int(match[1]), line)
    used = {target for proxy in inspection.proxy_locations for target in proxy.targets}
    for target, (number, line) in seen.items():
        if target in used and _is_local(target) and not inspection.accepts_connections(target):
            yield error(
                f"502: nginx could not reach {target}: {_MEANS.get(number, f'error {number}')}.",
                str(line),
                fix="Start the app, then see the rule socket-chain.",
            )


def _is_local(target: str) -> bool:
    return bool(socket_path(target) or local_port(target))


RULE = Rule("log-triage", ("CC5", "DB5", "DB6", "DB7"), check)
