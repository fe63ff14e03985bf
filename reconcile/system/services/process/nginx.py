"""nginx under the process manager: it is found by its own pid file."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from reconcile.errors import ReconcileError
from reconcile.system.processes import is_nginx_master, started_at
from reconcile.system.services import UnitStatus

if TYPE_CHECKING:
    from reconcile.system import Host

UNIT = "nginx.service"
START_TIMEOUT_S = 30.0
PID_FILE_TIMEOUT_S = 2.0
_COMMENT = re.compile(r"#.*")
_PID = re.compile(r"(?:^|[;{}\s])pid\s+[\"']?([^;\"'\s]+)[\"']?\s*;")
_COMPILED_PID = re.compile(r"--pid-path=(\S+)")


def status(host: Host) -> UnitStatus:
    """The state of the nginx that the host's settings name."""
    pid = master(host)
    return UnitStatus(
        unit=UNIT,
        loaded=host.commands.find(host.settings.nginx_binary) is not None,
        active=bool(pid),
        main_pid=pid,
        started_at=started_at(pid) if pid else None,
        state="active (running)" if pid else "inactive (dead)",
    )


def master(host: Host) -> int:
    """The pid of the running nginx master, 0 where none runs."""
    text = _file_text(pid_path(host)).strip()
    pid = int(text) if text.isdecimal() else 0
    return pid if pid and is_nginx_master(pid) else 0


def pid_path(host: Host) -> str:
    """The pid file of nginx: the configured one, else the compiled-in one.

    Errors: ReconcileError where neither is an absolute path.
    """
    text = _file_text(host.settings.nginx_config)
    found = _PID.findall(_COMMENT.sub("", text))
    if not found:
        version = host.commands.run((host.settings.nginx_binary, "-V"))
        found = _COMPILED_PID.findall(version.stderr)
    if found and found[-1].startswith("/"):
        return str(found[-1])
    raise ReconcileError(
        what="The pid file of nginx is unknown",
        why=f"{host.settings.nginx_config} has no pid directive with an absolute path",
        fix="Add one: pid /path/to/nginx.pid;",
    )


def command(host: Host, error_log: str) -> tuple[str, ...]:
    """The command that starts nginx as a daemon."""
    words = (host.commands.required(host.settings.nginx_binary), "-c", host.settings.nginx_config)
    # Unprivileged, nginx cannot open the error log that it was compiled with.
    return words if host.privileged else (*words, "-e", error_log)


def _file_text(path: str) -> str:
    """The text of a file; "" where it does not exist."""
    try:
        with open(path, "rb") as file:
            return os.fsdecode(file.read())
    except FileNotFoundError:
        return ""
