"""Where a Gunicorn writes down the requests that it answers, and what went wrong.

Source: Gunicorn's settings `accesslog`, `errorlog`, `config`, `chdir`; of the configuration file,
GUNICORN_CMD_ARGS and the command line, the last that has one holds.
"""

from __future__ import annotations

import ast
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from posixpath import join
from typing import TYPE_CHECKING

from reconcile.doctor.logs import journal_since
from reconcile.system.environ import environment_of
from reconcile.system.logs import tail
from reconcile.system.membership import output_of
from reconcile.system.processes import title

if TYPE_CHECKING:
    from collections.abc import Callable

    from reconcile.doctor.units import UnitView
    from reconcile.system import Host

LOG_BYTES = 64 << 10
USUAL_CONFIG = "gunicorn.conf.py"
PRINTED = "-"
_STREAMS = ("/dev/stdout", "/dev/stderr", "/proc/self/fd/1", "/proc/self/fd/2")
_OPTIONS = {"accesslog": ("--access-logfile",), "errorlog": ("--error-logfile", "--log-file")}


@dataclass(frozen=True)
class GunicornAccessLog:
    """`where` as people name it; `lines` reads its last lines, of a journal those since then."""

    where: str
    lines: Callable[[float], tuple[str, ...]]


def access_log(host: Host, unit: UnitView) -> GunicornAccessLog | None:
    """The access log of a Gunicorn that runs; None where it keeps none that we could read."""
    written = _setting(host, unit, "accesslog")
    if not written:
        return None
    if written not in (PRINTED, *_STREAMS):
        return _of_file(join(unit.working_directory or "/", written))
    output = output_of(unit.main_pid)
    if output.startswith("/"):
        return None if output.startswith("/dev/") else _of_file(output)
    if not unit.said.get("InvocationID"):
        return None
    return GunicornAccessLog(f"journalctl -u {unit.name}", partial(journal_since, host, unit))


def log_files(host: Host, unit: UnitView) -> tuple[str, ...]:
    """The files that a Gunicorn that runs logs to; the journal is none."""
    written = {_setting(host, unit, name) for name in _OPTIONS}
    named = [
        join(unit.working_directory or "/", one) for one in written if one not in ("", PRINTED)
    ]
    printed = [output_of(unit.main_pid, stream) for stream in (1, 2)]
    found = [one for one in (*named, *printed) if one.startswith("/")]
    return tuple(dict.fromkeys(one for one in found if not one.startswith("/dev/")))


def _of_file(path: str) -> GunicornAccessLog:
    return GunicornAccessLog(path, lambda _since_s: tail(path, LOG_BYTES))


def _setting(host: Host, unit: UnitView, setting: str) -> str:
    """The setting `accesslog` or `errorlog`, "" where there is none."""
    arguments = [*_given(unit), *_words(unit.command or title(unit.main_pid))]
    folder = join(unit.working_directory or "/", _option(arguments, "--chdir"))
    by_option = _option(arguments, *_OPTIONS[setting])
    return by_option or _of_config(host, join(folder, _config(arguments)), setting)


def _given(unit: UnitView) -> list[str]:
    environment = environment_of(unit.main_pid) or unit.environment
    return _words(environment.get("GUNICORN_CMD_ARGS", ""))


def _config(arguments: list[str]) -> str:
    named = _option(arguments, "--config", "-c")
    return named.removeprefix("file:") or USUAL_CONFIG


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return command.split()


def _option(arguments: list[str], *names: str) -> str:
    """The last value of an option, be it a word of its own or behind "="."""
    found = ""
    for word, after in zip(arguments, [*arguments[1:], ""], strict=True):
        if word in names:
            found = after
        for name in names:
            if word.startswith(f"{name}="):
                found = word.partition("=")[2]
    return found


def _of_config(host: Host, path: str, setting: str) -> str:
    found = host.files.content(path)
    return next(_assigned(found[1], setting), "") if found else ""


def _assigned(data: bytes, setting: str) -> Iterator[str]:
    """What a configuration file says outright; it is read and never run."""
    try:
        body = ast.parse(data).body
    except (SyntaxError, ValueError):
        return
    for node in reversed(body):
        if isinstance(node, ast.Assign) and setting in map(ast.unparse, node.targets):
            if isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
                yield node.value.value
            return
