"""Start the program of a unit as a session of its own, without our terminal and descriptors."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from subprocess import DEVNULL, Popen, TimeoutExpired
from typing import TYPE_CHECKING

from reconcile.errors import ReconcileError
from reconcile.system.accounts import Account
from reconcile.system.commands import ENVIRONMENT
from reconcile.system.processes import as_user, become, identity

if TYPE_CHECKING:
    from reconcile.system import Host
    from reconcile.system.services.process.unit_file import Program

START_TIMEOUT_S = 60.0
_LOG = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW
Record = Callable[[], None]


class NotReady(Exception):
    """The program ended, or took too long, before it was ready; its log has the reason."""


def start(host: Host, program: Program, log_path: str, record: Record) -> None:
    """Run a unit's program; returns once it is ready. Errors: NotReady, and those of `spawn`."""
    run_checks(host, program, log_path)
    if not program.notifies:
        spawn(host, program, log_path, record)
        return
    with _ready_socket() as (address, ready):
        environment = {**program.environment, "NOTIFY_SOCKET": address}
        pid = spawn(host, replace(program, environment=environment), log_path, record)
        if not _is_ready(ready, pid):
            raise NotReady


def run_checks(host: Host, program: Program, log_path: str) -> None:
    """Run the commands that precede a unit's program. Errors: NotReady where one fails."""
    for command in program.before:
        if _run_to_end(host, replace(program, command=command), log_path):
            raise NotReady


def spawn(host: Host, program: Program, log_path: str, record: Record) -> int:
    """Start `program` as a session leader that init adopts, and return its pid.

    `record` is called in the new process before the program replaces it, so that an interrupted
    start leaves no process without a record.
    Errors: ReconcileError where it cannot be executed.
    """
    with _start_errors(program):
        start_it = lambda: _popen(host, program, log_path, record).pid  # noqa: E731
        return as_user(host.accounts.current, start_it)


def _run_to_end(host: Host, program: Program, log_path: str) -> int:
    """The exit status of `program`, negative for a signal; it is killed after START_TIMEOUT_S."""
    with _start_errors(program), _popen(host, program, log_path, lambda: None) as process:
        try:
            return process.wait(START_TIMEOUT_S)
        except TimeoutExpired:
            process.kill()
            return process.wait()


def _popen(host: Host, program: Program, log_path: str, record: Record) -> Popen[bytes]:
    account = _program_account(host, program)
    name = (account or host.accounts.current).name

    def before_exec() -> None:
        """Record the new process, and give it its signals and ids."""
        record()
        _default_signals()
        if account:
            become(account)

    log = os.open(log_path, _LOG, 0o600)
    try:
        return Popen(
            program.command,
            stdin=DEVNULL,
            stdout=log,
            stderr=log,
            cwd=program.directory,
            env={**ENVIRONMENT, "USER": name, "LOGNAME": name, **program.environment},
            umask=program.umask,
            start_new_session=True,
            preexec_fn=before_exec,
        )
    finally:
        os.close(log)


def _program_account(host: Host, program: Program) -> Account | None:
    """The account that the program runs as; None for the current user, as always without root."""
    if not program.user or not host.privileged:
        return None
    account = host.accounts.user(program.user)
    if not program.group:
        return account
    gid = host.accounts.group(program.group)
    return replace(account, gid=gid, groups=account.groups | {gid})


def _default_signals() -> None:
    # Ignored signals stay ignored after exec: SIGPIPE by Python, SIGHUP under nohup.
    for number in signal.valid_signals():
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


@contextmanager
def _start_errors(program: Program) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ReconcileError(
            what=f"Cannot run {program.command[0]}",
            why=f"{error.filename or program.command[0]}: {error.strerror}",
            fix="Correct the paths and the user in the YAML, then apply again.",
        ) from None


@contextmanager
def _ready_socket() -> Iterator[tuple[str, socket.socket]]:
    """The socket where a program of Type=notify reports that it is ready. Source: sd_notify(3).

    Its name is abstract: it creates no file, and no path can be too long for it.
    """
    name = f"reconcile-{os.urandom(8).hex()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
        ready.bind(f"\0{name}")
        ready.settimeout(0.05)
        yield f"@{name}", ready


def _is_ready(ready: socket.socket, pid: int) -> bool:
    deadline = time.monotonic() + START_TIMEOUT_S
    while identity(pid) is not None and time.monotonic() < deadline:
        try:
            if b"READY=1" in ready.recv(4096).splitlines():
                return True
        except TimeoutError:
            continue
    return False
