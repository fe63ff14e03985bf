"""Error log lines that cannot be tested again without load; those of the present run count."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from reconcile.doctor.rule import RuleResult, error, note, warning
from reconcile.filesystem.mount import is_full
from reconcile.system.processes import started_at

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection
    from reconcile.doctor.nginx_error_log import ErrorLogLine

ENOSPC, EDQUOT = 28, 122
_FULL = re.compile(rf'(?:"(/[^"]+)" )?failed \(({ENOSPC}|{EDQUOT}):')


@dataclass(frozen=True)
class _ErrorPattern:
    """Lines that `matches` finds; `is_about_app`: a restart of the app makes them history."""

    matches: Callable[[str], object]
    what: str
    fix: str
    is_about_app: bool = False


_PATTERNS = (
    _ErrorPattern(
        re.compile(r"\(24: ").search,
        "nginx ran out of file descriptors (24: too many open files)",
        "Raise worker_rlimit_nofile in nginx.conf, then reload nginx.",
    ),
    _ErrorPattern(
        re.compile(r"worker_connections are not enough").search,
        "nginx exceeded worker_connections",
        "Raise worker_connections in the events block, then reload nginx.",
    ),
    _ErrorPattern(
        re.compile(r"upstream timed out \(110: ").search,
        "504: the app did not answer in time (110: connection timed out)",
        "Find in its log what it waits for (journalctl -u UNIT). Raise proxy_read_timeout and"
        " Gunicorn's --timeout only if the work needs that long.",
        is_about_app=True,
    ),
    _ErrorPattern(
        re.compile(
            # Of a client that closes its connection nginx logs the same, at level info.
            r"upstream prematurely closed connection(?! while reading upstream)"
            r"|(?:recv|readv)\(\) failed \(104: [^)]*\) while reading [^,]*upstream"
        ).search,
        "502: the app aborted its answer (a worker crashed, or was killed by its timeout)",
        "Search its log for WORKER TIMEOUT or SIGKILL: journalctl -u UNIT; check the memory:"
        " free -m.",
        is_about_app=True,
    ),
    _ErrorPattern(
        re.compile(r"upstream sent too big header").search,
        "502: the app's headers exceed nginx's buffer (usually because of cookies)",
        "Raise proxy_buffer_size in the location, then reload nginx.",
        is_about_app=True,
    ),
    _ErrorPattern(
        re.compile(r"upstream prematurely closed connection while reading upstream").search,
        "an answer of the app was cut off (its worker ended before the visitor had all of it)",
        "Let nginx send large files (X-Accel-Redirect), or raise proxy_max_temp_file_size above the"
        " largest answer: beyond it, 1 GB by default, a worker waits for each slow visitor.",
        is_about_app=True,
    ),
    _ErrorPattern(
        re.compile(r"^limiting (?:requests|connections)[, ]").search,
        "nginx refused requests over a limit of requests or connections",
        "If they are files of a page, see the rule asset-limits; else raise burst= of limit_req.",
    ),
)


def find_patterns(
    inspection: HostInspection, lines: tuple[ErrorLogLine, ...]
) -> Iterator[RuleResult]:
    """The last line of each pattern since nginx, and the app it is about, were started."""
    running = inspection.nginx.running
    # The log has whole seconds only.
    since_s = ((running.oldest_start_s if running else None) or 0) - 1
    recent = [line for line in lines if line.written_s >= since_s]
    for pattern in _PATTERNS:
        found = [
            line
            for line in recent
            if pattern.matches(line.message) and not _is_history(inspection, pattern, line)
        ]
        if found:
            times = "once" if len(found) == 1 else f"{len(found)} times"
            yield warning(f"{pattern.what}, {times}.", str(found[-1]), fix=pattern.fix)
    yield from _full_disk(recent)


def _is_history(inspection: HostInspection, pattern: _ErrorPattern, line: ErrorLogLine) -> bool:
    """Whether the app that the line is about was started after it."""
    servers = [server for server in inspection.servers if line.is_about(server)]
    apps = [app for server in servers for app in inspection.apps_behind(server)]
    starts = [started_at(app.unit.main_pid) for app in apps if app.unit.main_pid]
    known = [start for start in starts if start is not None]
    return pattern.is_about_app and bool(known) and line.written_s + 1 <= min(known)


def _full_disk(lines: list[ErrorLogLine]) -> Iterator[RuleResult]:
    """A full disk or quota: an error while the folder is full, a note afterwards."""
    found = {match[1] or "": line for line in lines if (match := _FULL.search(line.message))}
    for path, line in list(found.items())[-1:]:
        folder = path.rpartition("/")[0] or "/"
        if path and is_full(folder):
            yield error(
                f"nginx has no space left in {folder} (28: no space left on device).",
                str(line),
                fix=f"Free some space: df -h {folder}; df -i {folder}",
            )
        else:
            yield note(f"nginx had no space left in {folder} for a while.", str(line))
