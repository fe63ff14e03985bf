"""Run a program that nobody vouches for: it can change nothing, and nothing of it stays."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, NoReturn

from reconcile.errors import ReconcileError
from reconcile.system.accounts import Account
from reconcile.system.closed_room import SCRATCH, Room
from reconcile.system.commands import ENVIRONMENT

MOST_BYTES = 1 << 20
"""How much of what it says is read."""
_PATIENCE_S = 5.0


class NotConfined(ReconcileError):
    """There is no such place here, and it was not run."""


@dataclass(frozen=True)
class Ended:
    """What it wrote to its standard output, and how it came to its end."""

    said: bytes
    how: Literal["exited", "killed", "timeout", "not started"]
    code: int = 0
    why: str = ""


def run_confined(
    argv: Sequence[str],
    account: Account,
    *,
    directory: str,
    environment: Mapping[str, str],
    timeout_s: float = 10.0,
) -> Ended:
    """Run `argv` (an absolute program, which may be anybody's) as `account` in `directory`.

    It sees the machine's files, and can write but to a folder in memory (TMPDIR). It has no
    network, no sockets, and processes of its own only, which end with it.
    Units: `timeout_s` bounds the whole run.
    Errors: NotConfined where the kernel gives no such place, or as root, whom few doors stop.
    """
    if account.uid == 0:
        raise NotConfined(
            what=f"{argv[0]} is not run as root",
            why="root is kept out of too little",
            fix="Give the app a user of its own.",
        )
    room = Room()
    telling, said = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        job = _Job(room, account, tuple(argv), directory, dict(environment), timeout_s)
        job.keep(telling[1], said[1])
    os.close(telling[1])
    os.close(said[1])
    try:
        return _outcome(*_listen(telling[0], said[0], timeout_s + _PATIENCE_S), timeout_s)
    finally:
        os.close(telling[0])
        os.close(said[0])
        # What it keeps dies with it.
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@dataclass(frozen=True)
class _Job:
    room: Room
    account: Account
    argv: tuple[str, ...]
    directory: str
    environment: dict[str, str]
    timeout_s: float

    def keep(self, telling: int, said: int) -> NoReturn:
        """Be the parent of the room's first process, for as long as it may live."""
        try:
            os.setsid()
            self.room.die_with_parent()
            trouble = os.pipe()
            self.room.leave_the_machine()
            first = os.fork()
            if first == 0:
                self._run(trouble[1], said)
            os.close(trouble[1])
            os.close(said)
            how = _ending(first, self.timeout_s)
            why = os.read(trouble[0], 4096)
            os.write(telling, b"not started 0 " + why if why else how)
        except OSError as error:
            os.write(telling, b"no room 0 " + str(error).encode("utf-8", "replace"))
        finally:
            os._exit(0)

    def _run(self, trouble: int, said: int) -> NoReturn:
        try:
            self.room.die_with_parent()
            # A signal to its process group must not reach the keeper.
            os.setsid()
            null = os.open("/dev/null", os.O_RDWR)
            for source, target in ((null, 0), (said, 1), (null, 2)):
                os.dup2(source, target)
            os.closerange(3, trouble)
            os.closerange(trouble + 1, os.sysconf("SC_OPEN_MAX"))
            self.room.close(self.account, int(self.timeout_s) + 1)
            os.umask(0o077)
            os.chdir(self.directory)
            os.execve(self.argv[0], self.argv, self._environment())  # noqa: S606  the purpose
        except OSError as error:
            os.write(trouble, str(error).encode("utf-8", "replace"))
        finally:
            os._exit(1)

    def _environment(self) -> dict[str, str]:
        return {**ENVIRONMENT, **self.environment, "TMPDIR": SCRATCH}


def _ending(pid: int, timeout_s: float) -> bytes:
    """Wait for the room's first process; with it all others of the room have ended."""
    handle = os.pidfd_open(pid)
    in_time = select.select([handle], [], [], timeout_s)[0]
    if not in_time:
        os.kill(pid, signal.SIGKILL)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if not in_time:
        return b"timeout 0 "
    return f"exited {code} ".encode() if code >= 0 else f"killed {-code} ".encode()


def _listen(telling: int, said: int, timeout_s: float) -> tuple[bytes, bytes]:
    """All that was told and said until the keeper had nothing more to tell."""
    texts = {telling: bytearray(), said: bytearray()}
    open_ends, deadline = {telling, said}, time.monotonic() + timeout_s
    while telling in open_ends and (left_s := deadline - time.monotonic()) > 0:
        for end in select.select(open_ends, [], [], left_s)[0]:
            _take(end, texts, open_ends)
    os.set_blocking(said, False)
    with suppress(BlockingIOError):
        while said in open_ends:
            _take(said, texts, open_ends)
    return bytes(texts[telling]), bytes(texts[said])


def _take(end: int, texts: dict[int, bytearray], open_ends: set[int]) -> None:
    chunk = os.read(end, 65_536)
    texts[end] += chunk
    # Whoever floods us is read no further, and waits until its time is up.
    if not chunk or len(texts[end]) > MOST_BYTES:
        open_ends.discard(end)


def _outcome(told: bytes, said: bytes, timeout_s: float) -> Ended:
    text = told.decode("utf-8", "replace")
    for how in ("exited", "killed", "timeout", "not started"):
        if text.startswith(f"{how} "):
            code, _, why = text.removeprefix(f"{how} ").partition(" ")
            return Ended(said, how, int(code), why)
    raise NotConfined(
        what="There is no place here in which a program could do no harm",
        why=text.removeprefix("no room 0 ") or f"its keeper did not answer within {timeout_s:g} s",
        fix="Run as root, outside of a container that may not make namespaces.",
    )
