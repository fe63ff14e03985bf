"""A command on a real terminal."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import sys
import termios
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Screen:
    """What a terminal showed, and the exit code."""

    code: int
    text: str


def on_a_terminal(
    *arguments: str,
    cwd: str,
    types: str = "",
    columns: int = 100,
    env: dict[str, str] | None = None,
    program: Sequence[str] = ("-m", "reconcile"),
) -> Screen:
    """Run `reconcile ARGUMENTS` on a terminal of that width; `types` is typed ahead.

    `program` is what Python is given in its place, for one that has other limits.
    """
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(cwd)
        environment = {"PATH": os.environ["PATH"], "TERM": "xterm", **(env or {})}
        os.execve(sys.executable, [sys.executable, *program, *arguments], environment)
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
    os.write(terminal, types.encode())
    shown = b"".join(iter(lambda: _read(terminal), b""))
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    return Screen(os.waitstatus_to_exitcode(status), shown.decode().replace("\r\n", "\n"))


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:
        return b""  # Linux says EIO when the other side has gone
