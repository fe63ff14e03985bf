"""nginx as the process manager runs it: by its own configuration, found by its own pid file."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING

from reconcile.errors import ReconcileError
from reconcile.system.commands import ENVIRONMENT
from reconcile.system.processes import identity, started_at, title
from reconcile.system.services import UnitStatus
from reconcile.system.services.detached import Launch, spawn
from reconcile.system.services.running import read_text

if TYPE_CHECKING:
    from reconcile.system import Host
    from reconcile.system.services.sandbox import Sandbox

NGINX = "nginx.service"
START_TIMEOUT_S = 30.0
PID_FILE_TIMEOUT_S = 2.0
_COMMENT = re.compile(r"#.*")
_PID = re.compile(r"(?:^|[;{}\s])pid\s+[\"']?([^;\"'\s]+)[\"']?\s*;")
_COMPILED_PID = re.compile(r"--pid-path=(\S+)")


def nginx_status(host: Host) -> UnitStatus:
    """How the nginx of the host's settings stands."""
    pid = nginx_master(host)
    return UnitStatus(
        unit=NGINX,
        loaded=host.commands.find(host.settings.nginx_binary) is not None,
        active=bool(pid),
        main_pid=pid,
        started_at=started_at(pid) if pid else None,
        state="active (running)" if pid else "inactive (dead)",
    )


def start_nginx(host: Host, sandbox: Sandbox) -> None:
    """Start nginx and return once its master has written its pid. Errors: ServiceFailed."""
    log_from = sandbox.log_size(NGINX)
    pid = spawn(Launch(_command(host, sandbox), sandbox.log_path(NGINX), environment=ENVIRONMENT))
    deadline = time.monotonic() + START_TIMEOUT_S
    while not nginx_master(host):
        if identity(pid) is None:
            # The process that turns into a daemon ends before the daemon has written its pid.
            deadline = min(deadline, time.monotonic() + PID_FILE_TIMEOUT_S)
        refused = "[emerg]" in sandbox.last_words(NGINX, log_from)
        if (refused and identity(pid) is None) or time.monotonic() > deadline:
            raise sandbox.failed(NGINX, log_from)
        time.sleep(0.02)


def nginx_master(host: Host) -> int:
    """The pid of the running nginx master, 0 where none runs."""
    text = (read_text(nginx_pid_path(host)) or "").strip()
    pid = int(text) if text.isdecimal() else 0
    return pid if pid and title(pid).startswith("nginx: master process") else 0


def nginx_pid_path(host: Host) -> str:
    """Where nginx writes its pid: as its configuration says, else as it was compiled.

    Errors: ReconcileError where neither tells an absolute path.
    """
    text = read_text(host.settings.nginx_config) or ""
    said = _PID.findall(_COMMENT.sub("", text))
    if not said:
        version = host.commands.run((host.settings.nginx_binary, "-V"))
        said = _COMPILED_PID.findall(version.stderr)
    if said and said[-1].startswith("/"):
        return str(said[-1])
    raise ReconcileError(
        what="Cannot tell where nginx writes its pid",
        why=f"{host.settings.nginx_config} has no pid directive with an absolute path",
        fix="Add one: pid /path/to/nginx.pid;",
    )


def _command(host: Host, sandbox: Sandbox) -> tuple[str, ...]:
    command = (host.commands.required(host.settings.nginx_binary), "-c", host.settings.nginx_config)
    if host.privileged:
        return command
    # Unprivileged, nginx can't open the error log that it was compiled with.
    return (*command, "-e", f"{sandbox.state_dir}/log/nginx.error.log")
