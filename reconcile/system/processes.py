"""The processes of this machine, and functions that run as another user."""

from __future__ import annotations

import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from reconcile.errors import ReconcileError
from reconcile.system.clock import boot_id

if TYPE_CHECKING:
    from reconcile.system.accounts import Account

Answer = TypeVar("Answer")

_MASTER = "nginx: master process"
_FORKING_S = 2.0
"""How long a process may take to become a master or a worker, which its title shows."""
_STARVED_S = 15.0
"""The same where it waits for a processor all the time."""
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


class NotRoot(ReconcileError):
    """Only root may become another user."""


class ProcessIdentity(NamedTuple):
    """One process: a later one with the same pid has another start time or another boot."""

    pid: int
    start_ticks: int
    boot_id: str


def identity(pid: int) -> ProcessIdentity | None:
    """The identity of `pid` now; None where no such process runs (a zombie does not)."""
    fields = _stat_fields(pid)
    if fields is None or fields.state in "ZX":
        return None
    return ProcessIdentity(pid, fields.start_ticks, boot_id())


def started_at(pid: int) -> float | None:
    """When `pid` was started; None where it does not run.

    Units: seconds since the epoch, at most 10 ms too early, never too late; comparable with
    the change times of files unless the clock was set since.
    """
    fields = _stat_fields(pid)
    if fields is None or fields.state in "ZX":
        return None
    booted_at = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
    return booted_at + fields.start_ticks / _TICKS_PER_S


def parent(pid: int) -> int:
    """The parent of `pid`; 0 where it does not run."""
    fields = _stat_fields(pid)
    return fields.parent if fields else 0


def children(pid: int) -> tuple[int, ...]:
    """The direct children of `pid`, without zombies."""
    return tuple(
        child
        for child in pids()
        if (fields := _stat_fields(child)) and fields.parent == pid and fields.state not in "ZX"
    )


def command_line(pid: int) -> str:
    """The command line of `pid`, as it may have rewritten it; "" where it does not run."""
    raw = _read_proc(f"/proc/{pid}/cmdline")
    return raw.replace(b"\0", b" ").strip().decode("utf-8", "surrogateescape")


def is_nginx_master(pid: int) -> bool:
    """Whether it is the master of an nginx, which one that has just started is about to be."""

    def is_known() -> bool:
        """Whether it has its title, or is too old to get one."""
        return command_line(pid).startswith(_MASTER) or not _is_starting(pid)

    wait_until(is_known, timeout_s=_STARVED_S)
    return command_line(pid).startswith(_MASTER)


def workers(master_pid: int, *, shutting_down: bool = False) -> tuple[int, ...]:
    """The worker processes of an nginx master that accept new connections, or no longer do."""
    return _workers_among(_titles(master_pid), shutting_down=shutting_down)


def started_workers(master_pid: int) -> tuple[int, ...]:
    """Those that accept connections, once the ones that were just forked are at work."""
    deadline = time.monotonic() + _STARVED_S
    titles = _titles(master_pid)
    while _is_forking(master_pid, titles) and time.monotonic() < deadline:
        time.sleep(0.01)
        titles = _titles(master_pid)
    return _workers_among(titles)


def _titles(master_pid: int) -> dict[int, str]:
    return {child: command_line(child) for child in children(master_pid)}


def _workers_among(titles: dict[int, str], *, shutting_down: bool = False) -> tuple[int, ...]:
    return tuple(
        pid
        for pid, title in titles.items()
        if title.startswith("nginx: worker process")
        and title.endswith("is shutting down") == shutting_down
    )


def _is_forking(master_pid: int, titles: dict[int, str]) -> bool:
    """Whether it has no worker yet, or one that is its own copy until it has set its title."""
    copies = [pid for pid, title in titles.items() if title.startswith(_MASTER)]
    if not _workers_among(titles):
        copies.append(master_pid)
    # Later than this it has none for another reason, and a master below it is an upgraded one.
    return any(map(_is_starting, copies))


def _is_starting(pid: int) -> bool:
    """Whether it is young, or has not run for long enough to be anything else; idle ones sleep."""
    return (started_at(pid) or 0) > time.time() - _FORKING_S or _is_runnable(pid)


def _is_runnable(pid: int) -> bool:
    """Whether it is an nginx that waits for a processor or a disk."""
    fields = _stat_fields(pid)
    return fields is not None and fields.state in "RD" and "nginx" in command_line(pid)


def wait_until(condition: Callable[[], bool], *, timeout_s: float, every_s: float = 0.02) -> bool:
    """Whether `condition` became true in time; it is called at least once."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() >= deadline:
            return False
        time.sleep(every_s)
    return True


def as_user(account: Account, function: Callable[[], Answer], *, timeout_s: float = 10.0) -> Answer:
    """What `function` returns when a forked child calls it with all of `account`'s ids.

    No program is executed; the result has to be JSON (text that is not UTF-8 included).
    Errors: OSError and ReconcileError as `function` raised them; ReconcileError where it raised
    another exception or did not end in time; NotRoot where this user cannot become that one.
    """
    if os.geteuid() not in (0, account.uid):
        raise NotRoot(
            what=f"Cannot act as {account.name}",
            why="only root may become another user",
            fix="Run it with sudo.",
        )
    output = _call_in_child(lambda: _outcome_as(function, account), timeout_s)
    if not output:
        raise ReconcileError(
            what=f"A process as {account.name} did not answer within {timeout_s:g} s",
            why="it hung or was killed",
            fix="Check the filesystems that it accesses, then run the same command again.",
        )
    how, content = json.loads(output)
    if how == "answer":
        answer: Answer = content
        return answer
    raise OSError(*content) if how == "refused" else ReconcileError(*content)


def _outcome_as(function: Callable[[], object], account: Account) -> bytes:
    """The outcome of `function` as JSON: its kind, and the result or the error."""
    try:
        become(account)
        outcome = ("answer", function())
    except OSError as error:
        outcome = ("refused", (error.errno, error.strerror, *_name_in(error)))
    except ReconcileError as error:
        outcome = ("failed", (error.what, error.why, error.fix))
    except Exception as error:  # noqa: BLE001  the parent raises it
        outcome = ("failed", (f"{type(error).__name__}: {error}",))
    return json.dumps(outcome).encode()


def _name_in(error: OSError) -> tuple[str, ...]:
    return (os.fsdecode(error.filename),) if isinstance(error.filename, str | bytes) else ()


def become(account: Account) -> None:
    """Take the ids of `account` for good: groups first, as only root's uid can set them."""
    if os.geteuid() == 0:
        os.setgroups(sorted(account.groups))
        os.setresgid(account.gid, account.gid, account.gid)
        os.setresuid(account.uid, account.uid, account.uid)


def ends_within(work: Callable[[], object], *, cpu_s: float) -> bool:
    """Whether `work` ends in a child before that has used so much time; its result is lost."""
    pid = os.fork()
    if pid == 0:
        try:
            # Ends the child, whatever it is in the middle of.
            signal.signal(signal.SIGVTALRM, signal.SIG_DFL)
            signal.setitimer(signal.ITIMER_VIRTUAL, cpu_s)
            work()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def _call_in_child(function: Callable[[], bytes], timeout_s: float) -> bytes:
    """What `function` returns in a forked child; empty where it does not return in time."""
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        _write_and_exit(function, writing)
    os.close(writing)
    try:
        return _read_until_closed(reading, timeout_s)
    finally:
        os.close(reading)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _write_and_exit(function: Callable[[], bytes], writing: int) -> None:
    try:
        with os.fdopen(writing, "wb") as pipe:
            pipe.write(function())
    finally:
        # The parent's buffers and exit handlers must not run twice.
        os._exit(0)


def _read_until_closed(reading: int, timeout_s: float) -> bytes:
    """Everything up to the end of the pipe; empty where that did not come in time."""
    deadline = time.monotonic() + timeout_s
    output = bytearray()
    while True:
        left_s = deadline - time.monotonic()
        if left_s <= 0 or not select.select([reading], [], [], left_s)[0]:
            return b""
        chunk = os.read(reading, 65_536)
        if not chunk:
            return bytes(output)
        output += chunk


class _ProcessStat(NamedTuple):
    state: str
    parent: int
    start_ticks: int


def _stat_fields(pid: int) -> _ProcessStat | None:
    """Source: proc(5), /proc/pid/stat; the name in brackets may hold anything."""
    _, _, after_name = _read_proc(f"/proc/{pid}/stat").rpartition(b") ")
    fields = after_name.split()
    return _ProcessStat(fields[0].decode(), int(fields[1]), int(fields[19])) if fields else None


def pids() -> Iterator[int]:
    """The ids of all processes."""
    return (int(name) for name in os.listdir("/proc") if name.isdigit())


def _read_proc(path: str) -> bytes:
    """The content of a file of /proc; empty where the process has gone."""
    try:
        with open(path, "rb") as file:
            return file.read()
    except (FileNotFoundError, ProcessLookupError):
        return b""
