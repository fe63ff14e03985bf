"""Runs programs: trusted binaries by absolute path, a fixed environment, no shell, a deadline."""

from __future__ import annotations

import os
import selectors
import signal
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from subprocess import DEVNULL, PIPE, Popen, TimeoutExpired
from typing import TYPE_CHECKING

from reconcile.dataclass import dataclass
from reconcile.errors import ReconcileError
from reconcile.filesystem.host_error import explained

if TYPE_CHECKING:
    from reconcile.filesystem.planned_entry import PlannedEntries

SAFE_PATH = ("/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin")
ENVIRONMENT = {"PATH": ":".join(SAFE_PATH), "LC_ALL": "C.UTF-8"}
MAX_OUTPUT_BYTES = 64 << 20
_GROUP_OR_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


class CommandMissing(ReconcileError):
    """The program is not installed, or another user than root could have replaced it."""


class CommandTimeout(ReconcileError):
    """The program did not end in time; its whole process group was killed."""


class TooMuchOutput(ReconcileError):
    """The program wrote more than `max_bytes`; its whole process group was killed."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(
            what="A command wrote too much output",
            why=f"it was killed after {max_bytes >> 10} KiB",
        )


@dataclass(frozen=True)
class CompletedCommand:
    """The result of a program; output that is not UTF-8 has surrogate escapes."""

    argv: tuple[str, ...]
    returncode: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether it ended with status 0."""
        return self.returncode == 0

    @property
    def error_output(self) -> str:
        """Its standard error, else its standard output, else its exit status."""
        return (self.stderr.strip() or self.stdout.strip()) or f"exit status {self.returncode}"


class Commands:
    """Finds programs, runs them and waits for them."""

    def __init__(self) -> None:
        self._found: dict[str, str] = {}

    def find(self, program: str) -> str | None:
        """The absolute path of `program`, links resolved; None where it is not installed.

        Errors: CommandMissing where a user other than root and the current one could replace it.
        """
        if program not in self._found and (path := _search(program)):
            self._found[program] = _require_trusted(path)
        return self._found.get(program)

    def required(self, program: str) -> str:
        """As `find`. Errors: also CommandMissing where it is not installed."""
        if path := self.find(program):
            return path
        raise CommandMissing(
            what=f"{program} is not installed",
            why=f"{':'.join(SAFE_PATH)} does not contain it"
            if "/" not in program
            else "no such file",
            fix="Install it and run the same command again.",
        )

    def run(
        self,
        argv: Sequence[str],
        *,
        timeout_s: float = 30.0,
        input: bytes | None = None,  # noqa: A002  subprocess has made this its standard name
        max_bytes: int = MAX_OUTPUT_BYTES,
        keeps_end: bool = False,
    ) -> CompletedCommand:
        """Run `argv` to its end; a non-zero exit status is no error.

        Units: `timeout_s` bounds the whole run, its children included; `max_bytes` bounds
        standard output and standard error, each. With `keeps_end` a longer output loses its
        first lines instead of ending the program.
        Errors: CommandMissing, CommandTimeout, TooMuchOutput; HostError where the kernel cannot
        start the process.
        """
        executable = self.required(argv[0])
        with explained(f"{argv[0]} could not be started"), _standard_input(input) as stdin:
            process = Popen(
                argv,
                executable=executable,
                stdin=stdin,
                stdout=PIPE,
                stderr=PIPE,
                cwd="/",
                env=ENVIRONMENT,
                start_new_session=True,
            )
        with process:
            out, err = _outputs(process, timeout_s, _Bound(max_bytes, keeps_end))
        return CompletedCommand(tuple(argv), process.returncode, _decoded(out), _decoded(err))

    def run_in_view(
        self, argv: Sequence[str], view: PlannedEntries, *, timeout_s: float = 10.0
    ) -> CompletedCommand:
        """Run `argv` with `view` in place of the machine's files.

        Units: `timeout_s` bounds the whole run.
        Errors: NoNamespace, before anything was run; ReconcileError where it did not end in time.
        """
        # Loads ctypes, which only a namespace needs.
        from reconcile.system.overlay_namespace import run_in_view

        return run_in_view(argv, view, timeout_s=timeout_s)


def _search(program: str) -> str | None:
    places = (program,) if program.startswith("/") else (f"{d}/{program}" for d in SAFE_PATH)
    for path in places:
        if os.path.isfile(path) and os.access(path, os.X_OK):
            return path
    return None


def _require_trusted(program: str) -> str:
    """The real path of `program`. Errors: CommandMissing where other users can change it."""
    real = path = os.path.realpath(program)
    while True:
        status = os.stat(path)
        if status.st_uid not in (0, os.geteuid()) or _writable_by_others(status):
            raise CommandMissing(
                what=f"{program} is not safe to run",
                why=f"other users can change {path} (owner {status.st_uid}, "
                f"mode {stat.S_IMODE(status.st_mode):04o})",
                fix=f"chown root:root {path} && chmod go-w {path}",
            )
        if path == "/":
            return real
        path = os.path.dirname(path)


def _writable_by_others(status: os.stat_result) -> bool:
    # In a sticky directory like /tmp only the owner of a file can replace it.
    sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX
    return bool(status.st_mode & _GROUP_OR_OTHERS_WRITE) and not sticky


@contextmanager
def _standard_input(content: bytes | None) -> Iterator[int]:
    """A file in memory: a pipe would have to be filled while the output is read."""
    if content is None:
        yield DEVNULL
        return
    with os.fdopen(os.memfd_create("input"), "w+b") as file:
        file.write(content)
        file.seek(0)
        yield file.fileno()


@dataclass(frozen=True)
class _Bound:
    """How many bytes of an output are held, and whether those are its last ones."""

    max_bytes: int
    keeps_end: bool

    def hold(self, output: bytearray) -> None:
        """Cut what is longer. Errors: TooMuchOutput."""
        if len(output) > self.max_bytes and not self.keeps_end:
            raise TooMuchOutput(self.max_bytes)
        if len(output) > 2 * self.max_bytes:
            del output[: -self.max_bytes]
            # The rest of a line could be the rest of a secret, which nothing would hide.
            del output[: output.find(b"\n") + 1]


def _outputs(process: Popen[bytes], timeout_s: float, bound: _Bound) -> tuple[bytes, bytes]:
    """Standard output and error of `process` after its end. An error kills it."""
    deadline = time.monotonic() + timeout_s
    outputs = {pipe.fileno(): bytearray() for pipe in (process.stdout, process.stderr) if pipe}
    try:
        _read_all(outputs, deadline, bound)
        process.wait(max(0, deadline - time.monotonic()))
    except TimeoutExpired:
        _kill_group(process)
        raise _timeout(process, timeout_s, bytes(list(outputs.values())[1])) from None
    except BaseException:
        _kill_group(process)
        raise
    out, err = outputs.values()
    return bytes(out), bytes(err)


def _read_all(outputs: dict[int, bytearray], deadline: float, bound: _Bound) -> None:
    """Errors: TimeoutExpired, TooMuchOutput."""
    with selectors.DefaultSelector() as open_pipes:
        for pipe in outputs:
            open_pipes.register(pipe, selectors.EVENT_READ)
        while open_pipes.get_map():
            ready = open_pipes.select(max(0, deadline - time.monotonic()))
            if not ready:
                raise TimeoutExpired("", 0)
            for key, _ in ready:
                chunk = os.read(key.fd, 65_536)
                outputs[key.fd] += chunk
                if not chunk:
                    open_pipes.unregister(key.fd)
                bound.hold(outputs[key.fd])


def _timeout(process: Popen[bytes], timeout_s: float, error_output: bytes) -> CommandTimeout:
    command = " ".join(map(os.fsdecode, process.args))  # type: ignore[arg-type]
    return CommandTimeout(
        what=f"{command} did not end within {timeout_s:g} s",
        why=_decoded(error_output).strip() or "it wrote no error",
        fix="It was killed. Find out what it waits for, then run the same command again.",
    )


def _kill_group(process: Popen[bytes]) -> None:
    # Until its leader is reaped, no other group can get this id.
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _decoded(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
