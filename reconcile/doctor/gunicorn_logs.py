"""Where Gunicorn logs requests and errors, and what its present run has logged.

Source: Gunicorn's settings `accesslog`, `errorlog`, `config`, `chdir`; of the configuration file,
GUNICORN_CMD_ARGS and the command line, the last that sets one wins.
"""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from itertools import dropwhile
from posixpath import join
from typing import TYPE_CHECKING

from reconcile.doctor.unit_journal import journal_since
from reconcile.system.logs import tail, tail_with_rotated
from reconcile.system.process_info import environment_of, output_of
from reconcile.system.processes import command_line, started_at

if TYPE_CHECKING:
    from reconcile.doctor.inspection import HostInspection
    from reconcile.doctor.units import UnitView
    from reconcile.system import Host

ACCESS_LOG_BYTES = 64 << 10
APP_LOG_BYTES = 256 << 10
DEFAULT_CONFIG = "gunicorn.conf.py"
STDOUT = "-"
_STREAMS = ("/dev/stdout", "/dev/stderr", "/proc/self/fd/1", "/proc/self/fd/2")
_OPTIONS = {"accesslog": ("--access-logfile",), "errorlog": ("--error-logfile", "--log-file")}
# Gunicorn's own lines, and those of its access log.
_DATE = re.compile(r"\[(\d{4}-\d\d-\d\d [\d:]{8} [-+]\d{4}|\d\d/\w{3}/\d{4}:[\d:]{8} [-+]\d{4})\]")
_DATE_FORMATS = {"-": "%Y-%m-%d %H:%M:%S %z", "/": "%d/%b/%Y:%H:%M:%S %z"}


@dataclass(frozen=True)
class GunicornAccessLog:
    """An access log: `lines` reads its last lines, of a journal those since a time."""

    where: str
    lines: Callable[[float], tuple[str, ...]]


def access_log(host: Host, unit: UnitView) -> GunicornAccessLog | None:
    """The access log of a running Gunicorn; None where it keeps none that can be read."""
    setting = _setting(host, unit, "accesslog")
    if not setting:
        return None
    if setting not in (STDOUT, *_STREAMS):
        return _file_log(join(unit.working_directory or "/", setting))
    output = output_of(unit.main_pid)
    if output.startswith("/"):
        return None if output.startswith("/dev/") else _file_log(output)
    if not unit.properties.get("InvocationID"):
        return None
    return GunicornAccessLog(f"journalctl -u {unit.name}", partial(journal_since, host, unit))


def app_log_lines(inspection: HostInspection, unit: UnitView) -> tuple[str, ...]:
    """The last lines of an app's present run, in its files and the journal; oldest first in each.

    Errors: HostError where a log cannot be read.
    """
    start_s = started_at(unit.main_pid) if unit.main_pid else None
    logged = [
        line
        for path in (_log_files(inspection.host, unit) if start_s else ())
        for _, lines in tail_with_rotated(path, APP_LOG_BYTES)
        for line in lines_since(start_s or 0, lines)
    ]
    return (*logged, *inspection.journal(unit))


def lines_since(start_s: float, lines: Iterable[str]) -> Iterable[str]:
    """The lines from that time on; a line without a date belongs to the one before it."""
    return dropwhile(lambda line: (at := line_time(line)) is None or at < int(start_s), lines)


def line_time(line: str) -> float | None:
    """The date of a line, in seconds since the epoch; None where it has none."""
    found = _DATE.search(line)
    if not found:
        return None
    date_format = _DATE_FORMATS["-" if found[1][4] == "-" else "/"]
    try:
        return datetime.strptime(found[1], date_format).timestamp()
    except ValueError:
        return None


def _log_files(host: Host, unit: UnitView) -> tuple[str, ...]:
    """The files that a running Gunicorn logs to, without the journal."""
    settings = {_setting(host, unit, name) for name in _OPTIONS}
    named = [join(unit.working_directory or "/", one) for one in settings - {"", STDOUT}]
    printed = [output_of(unit.main_pid, stream) for stream in (1, 2)]
    found = [one for one in (*named, *printed) if one.startswith("/")]
    return tuple(dict.fromkeys(one for one in found if not one.startswith("/dev/")))


def _file_log(path: str) -> GunicornAccessLog:
    return GunicornAccessLog(path, lambda _since_s: tail(path, ACCESS_LOG_BYTES))


def _setting(host: Host, unit: UnitView, name: str) -> str:
    """The value of `accesslog` or `errorlog`; "" where it is not set."""
    arguments = [
        *_environment_arguments(unit),
        *_split(unit.command or command_line(unit.main_pid)),
    ]
    folder = join(unit.working_directory or "/", _option(arguments, "--chdir"))
    config = _option(arguments, "--config", "-c").removeprefix("file:") or DEFAULT_CONFIG
    return _option(arguments, *_OPTIONS[name]) or _config_value(host, join(folder, config), name)


def _environment_arguments(unit: UnitView) -> list[str]:
    environment = environment_of(unit.main_pid) or unit.environment
    return _split(environment.get("GUNICORN_CMD_ARGS", ""))


def _split(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def _option(arguments: list[str], *names: str) -> str:
    """The last value of an option, as `--name value` or `--name=value`."""
    found = ""
    for word, after in zip(arguments, [*arguments[1:], ""], strict=True):
        if word in names:
            found = after
        for name in names:
            if word.startswith(f"{name}="):
                found = word.partition("=")[2]
    return found


def _config_value(host: Host, path: str, setting: str) -> str:
    found = host.files.content(path)
    return next(_assigned_strings(found[1], setting), "") if found else ""


def _assigned_strings(data: bytes, setting: str) -> Iterator[str]:
    """The string that a configuration file assigns last; it is parsed and never run."""
    try:
        body = ast.parse(data).body
    except (SyntaxError, ValueError):
        return
    for node in reversed(body):
        if isinstance(node, ast.Assign) and setting in map(ast.unparse, node.targets):
            if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                yield node.value.value
            return
