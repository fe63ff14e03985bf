"""Start programs that outlive us: no terminal, none of our descriptors, no zombie left behind."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NoReturn

from reconcile.dataclass import dataclass
from reconcile.errors import ReconcileError

if TYPE_CHECKING:
    from reconcile.system.accounts import Account

_NOT_EXECUTED = 127
_GO = b"!"


@dataclass(frozen=True)
class Launch:
    """One program, with everything that it starts in. `account` None: as whoever runs us."""

    command: tuple[str, ...]
    log_path: str
    directory: str = "/"
    environment: Mapping[str, str] | None = None
    umask: int = 0o022
    account: Account | None = None
    gid: int | None = None


def run_to_end(launch: Launch, *, timeout_s: float) -> int:
    """The exit status of `launch`, negative for a signal; killed when it takes too long."""
    pid = os.fork()
    if pid == 0:
        _exec(launch, report=None)
    deadline = time.monotonic() + timeout_s
    ended, status = os.waitpid(pid, os.WNOHANG)
    while not ended:
        if time.monotonic() > deadline:
            os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)
        ended, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status)


def spawn(launch: Launch, born: Callable[[int], None] | None = None) -> int:
    """Start `launch` as a child of nobody of ours and return its pid, which leads its session.

    The process waits until `born(pid)` has returned, so that one killed in between leaves
    nothing running that is not written down.
    Errors: ReconcileError where it could not be executed.
    """
    told, tell = os.pipe()
    waiting, go = os.pipe()
    middle = os.fork()
    if middle == 0:
        os.close(go)
        _fork_again(launch, tell, waiting)
    os.close(tell)
    os.close(waiting)
    with os.fdopen(told, "rb") as pipe, os.fdopen(go, "wb") as release:
        pid = int(pipe.readline() or 0)
        os.waitpid(middle, 0)
        if born:
            born(pid)
        release.write(_GO)
        release.flush()
        refusal = os.fsdecode(pipe.read()).strip()
    if refusal or not pid:
        raise ReconcileError(
            what=f"Cannot run {launch.command[0]}",
            why=refusal or "no further process could be started",
            fix="Correct the paths and the user in the YAML, then apply again.",
        )
    return pid


def _fork_again(launch: Launch, tell: int, waiting: int) -> NoReturn:
    # The process in the middle ends at once, so whoever reaps orphans inherits the other.
    try:
        pid = os.fork()
        if pid:
            os.write(tell, f"{pid}\n".encode())
        elif os.read(waiting, 1) == _GO:
            _exec(launch, tell)
    finally:
        os._exit(0)


def _exec(launch: Launch, report: int | None) -> NoReturn:
    """Turn this (forked) process into `launch`; tells `report` why it could not."""
    try:
        os.setsid()
        _set_up(launch, report)
        environment = dict(launch.environment or {})
        os.execve(launch.command[0], launch.command, environment)  # noqa: S606  no shell is wanted
    except OSError as error:
        refusal = f"{error.filename or launch.command[0]}: {error.strerror}\n"
        os.write(2 if report is None else report, os.fsencode(refusal))
    finally:
        os._exit(_NOT_EXECUTED)


def _set_up(launch: Launch, report: int | None) -> None:
    _redirect(launch.log_path)
    _close_others(report)
    _hear_every_signal()
    os.umask(launch.umask)
    if launch.account and os.geteuid() == 0:
        account, gid = launch.account, launch.gid
        main_group = account.gid if gid is None else gid
        os.setgroups(sorted({*account.groups, main_group}))
        os.setresgid(main_group, main_group, main_group)
        os.setresuid(account.uid, account.uid, account.uid)
    os.chdir(launch.directory)


def _hear_every_signal() -> None:
    # What is ignored stays ignored over exec: SIGPIPE by Python, SIGHUP under nohup.
    for number in signal.valid_signals():
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _redirect(log_path: str) -> None:
    nothing = os.open("/dev/null", os.O_RDONLY)
    log = os.open(log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    for target, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, target)


def _close_others(report: int | None) -> None:
    for name in os.listdir("/proc/self/fd"):
        if int(name) > 2 and int(name) != report:
            try:
                os.close(int(name))
            except OSError:
                continue  # the descriptor of this listing itself, closed meanwhile
