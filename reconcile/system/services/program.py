"""Start the program of a unit file and wait until it says that it is ready."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from reconcile.system.commands import ENVIRONMENT
from reconcile.system.processes import identity
from reconcile.system.services import ServiceFailed
from reconcile.system.services.detached import Launch, run_to_end, spawn
from reconcile.system.services.notify import ReadySocket
from reconcile.system.services.running import digest_of, read_text, write_running
from reconcile.system.services.unit_file import Program, parse

if TYPE_CHECKING:
    from collections.abc import Mapping

    from reconcile.system import Host
    from reconcile.system.services.sandbox import Sandbox

START_TIMEOUT_S = 60.0


def start_program(host: Host, sandbox: Sandbox, unit: str) -> None:
    """Run what the unit file says and write down which process it is. Errors: ServiceFailed."""
    text = read_text(sandbox.unit_path(unit))
    if text is None:
        raise ServiceFailed(
            what=f"{unit} cannot be started",
            why=f"there is no {sandbox.unit_path(unit)}",
            fix="Declare app.gunicorn in the YAML, or remove app.service.",
        )
    program = parse(unit, text, runtime_root=sandbox.runtime_root)
    if program.runtime_directory:
        sandbox.make_runtime_directory(program.runtime_directory)
    log_from = sandbox.log_size(unit)
    log_path = sandbox.log_path(unit)
    for command in program.before:
        if run_to_end(_launch(host, program, command, log_path), timeout_s=START_TIMEOUT_S):
            raise sandbox.failed(unit, log_from)

    def written_down(pid: int) -> None:
        write_running(sandbox.record_path(unit), pid, digest_of(text))

    with ReadySocket() as ready:
        notify = {"NOTIFY_SOCKET": ready.address} if program.notifies else {}
        pid = spawn(_launch(host, program, program.command, log_path, notify), written_down)
        if program.notifies and not _says_ready(ready, pid):
            raise sandbox.failed(unit, log_from)


def _says_ready(ready: ReadySocket, pid: int) -> bool:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not ready.is_ready(wait_s=0.05):
        if identity(pid) is None or time.monotonic() > deadline:
            return False
    return True


def _launch(
    host: Host,
    program: Program,
    command: tuple[str, ...],
    log_path: str,
    further: Mapping[str, str] | None = None,
) -> Launch:
    """`command` as the program's user, where we may become another one at all."""
    account = host.accounts.user(program.user) if program.user and host.privileged else None
    who = (account or host.accounts.current).name
    named = {"USER": who, "LOGNAME": who}
    return Launch(
        command=command,
        log_path=log_path,
        directory=program.directory,
        environment={**ENVIRONMENT, **named, **program.environment, **(further or {})},
        umask=program.umask,
        account=account,
        gid=host.accounts.group(program.group) if account and program.group else None,
    )
