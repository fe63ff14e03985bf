"""What cannot be tried again without load: told where it was logged by what runs now."""

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
    from reconcile.doctor.logs import LogLine

ENOSPC, EDQUOT = 28, 122
_FULL = re.compile(rf'(?:"(/[^"]+)" )?failed \(({ENOSPC}|{EDQUOT}):')


@dataclass(frozen=True)
class _ErrorPattern:
    """Lines that `is_it` finds; `of_app`: an app that was started since then is another one."""

    is_it: Callable[[str], object]
    what: str
    fix: str
    of_app: bool = False


_PATTERNS = (
    _ErrorPattern(
        re.compile(r"\(24: ").search,
        "nginx ran out of file descriptors (24: too many open files).",
        "Raise worker_rlimit_nofile in nginx.conf, then reload nginx.",
    ),
    _ErrorPattern(
        re.compile(r"worker_connections are not enough").search,
        "nginx had more connections than worker_connections allows.",
        "Raise worker_connections in the events block, then reload nginx.",
    ),
    _ErrorPattern(
        re.compile(r"upstream timed out \(110: ").search,
        "504: the app did not answer in time (110: connection timed out).",
        "Find what it waits for in its log (journalctl -u UNIT); proxy_read_timeout and Gunicorn's"
        " --timeout only if it has to take that long.",
        of_app=True,
    ),
    _ErrorPattern(
        re.compile(r"upstream prematurely closed connection|recv\(\) failed \(104: ").search,
        "502: the app broke off its answer (a worker died, or was killed by its timeout).",
        "Look for WORKER TIMEOUT or SIGKILL in its log: journalctl -u UNIT; free -m.",
        of_app=True,
    ),
    _ErrorPattern(
        re.compile(r"upstream sent too big header").search,
        "502: the app's headers are larger than nginx takes (cookies, as a rule).",
        "Raise proxy_buffer_size in the location, then reload nginx.",
        of_app=True,
    ),
)


def find_patterns(inspection: HostInspection, lines: tuple[LogLine, ...]) -> Iterator[RuleResult]:
    """Of each class the last line that is no history: what was reloaded or restarted is another."""
    recent = [line for line in lines if line.written_s >= (_born(inspection) or 0) - 1]
    for kind in _PATTERNS:
        seen = [
            x for x in recent if kind.is_it(x.said) and not _is_of_a_former_app(inspection, kind, x)
        ]
        if seen:
            told = (str(line) for line in seen[-1:])
            yield warning(f"{kind.what[:-1]}, {_times(len(seen))}.", *told, fix=kind.fix)
    yield from _full(recent)


def _times(number: int) -> str:
    return "once" if number == 1 else f"{number} times"


def _born(inspection: HostInspection) -> float | None:
    return inspection.running.oldest_start_s if inspection.running else None


def _is_of_a_former_app(inspection: HostInspection, kind: _ErrorPattern, line: LogLine) -> bool:
    servers = [server for server in inspection.servers if line.is_about(server)]
    apps = [app for server in servers for app in inspection.apps_behind(server)]
    starts = [started_at(app.unit.main_pid) for app in apps if app.unit.main_pid]
    known = [start for start in starts if start is not None]
    # A log tells no more than seconds.
    return kind.of_app and bool(known) and line.written_s + 1 <= min(known)


def _full(lines: list[LogLine]) -> Iterator[RuleResult]:
    """No room, or no quota: an error where it is so now, else it was."""
    seen = {found[1] or "": line for line in lines if (found := _FULL.search(line.said))}
    for path, line in list(seen.items())[-1:]:
        place = path.rpartition("/")[0] or "/"
        if path and is_full(place):
            yield error(
                f"nginx has no room left in {place} (28: no space left on device).",
                str(line),
                fix=f"Make room: df -h {place}; df -i {place}",
            )
        else:
            yield note(f"nginx had no room left in {place} for a while.", str(line))
