"""What an app has logged since it was started: to the journal, and to files of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from itertools import dropwhile
from typing import TYPE_CHECKING

from reconcile.doctor.gunicorn_logs import log_files
from reconcile.system.logs import recent
from reconcile.system.processes import started_at

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection
    from reconcile.doctor.units import UnitView

LOG_BYTES = 256 << 10
# Gunicorn's own lines, and those of its access log.
_DATED = re.compile(r"\[(\d{4}-\d\d-\d\d [\d:]{8} [-+]\d{4}|\d\d/\w{3}/\d{4}:[\d:]{8} [-+]\d{4})\]")
_FORMS = {"-": "%Y-%m-%d %H:%M:%S %z", "/": "%d/%b/%Y:%H:%M:%S %z"}


def app_log_lines(inspection: HostInspection, unit: UnitView) -> tuple[str, ...]:
    """The last lines of its present run, oldest first within a log. Errors: HostError."""
    born = started_at(unit.main_pid) if unit.main_pid else None
    written = [
        line
        for path in (log_files(inspection.host, unit) if born else ())
        for _, lines in recent(path, LOG_BYTES)
        for line in lines_since(born or 0, lines)
    ]
    return (*written, *inspection.journal(unit))


def lines_since(born: float, lines: Iterable[str]) -> Iterable[str]:
    """What was written after that, with the lines without a date that follow."""
    return dropwhile(lambda line: (at := line_time(line)) is None or at < int(born), lines)


def line_time(line: str) -> float | None:
    """When a line was written, in seconds since the epoch; None where it does not say."""
    found = _DATED.search(line)
    if not found:
        return None
    form = _FORMS["-" if found[1][4] == "-" else "/"]
    try:
        return datetime.strptime(found[1], form).timestamp()
    except ValueError:
        return None
