"""Kills its own process right before one of its effects; on a host it runs `reconcile` itself.

A program of its own there: `dying.py NUMBER ARGUMENT…` prints how many effects there were, where
the number is beyond the last one.
"""

from __future__ import annotations

import atexit
import os
import shutil  # noqa: F401  it looks at once for what the functions of os can do
import signal
import subprocess
import sys
from collections.abc import Callable
from typing import Any

EFFECTS = (
    "open",
    "write",
    "pwrite",
    "ftruncate",
    "rename",
    "link",
    "symlink",
    "unlink",
    "rmdir",
    "mkdir",
    "chmod",
    "fchmod",
    "chown",
    "fchown",
    "setxattr",
    "removexattr",
)
"""What changes a filesystem, as whoever comes after a kill sees it; flushing does not."""


COMMANDS = ("start", "stop", "restart", "reload", "enable", "disable", "daemon-reload")
"""What changes the state of systemd's units."""


class _Life:
    """Ends at the effect of that number."""

    def __init__(self, number: int) -> None:
        self.left, self.count, self.pid = number, 0, os.getpid()
        self._kill = os.kill

    def spend(self) -> bool:
        """Count one effect; whether it is the one before which to die.

        What a child does on its way to another program, as for nginx's test, is none.
        """
        if os.getpid() != self.pid:
            return False
        self.left -= 1
        self.count += 1
        return self.left < 0

    def end(self) -> None:
        self._kill(os.getpid(), signal.SIGKILL)


def live_until(number: int) -> _Life:
    """Have this process killed before its effect of that number on a filesystem."""
    life = _Life(number)

    def watched(name: str, effect: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            if name == "open" and not args[1] & os.O_CREAT:
                return effect(*args, **named)
            if life.spend():
                leave_half(name, effect, args)
                life.end()
            return effect(*args, **named)

        return call

    for name in EFFECTS:
        setattr(os, name, watched(name, getattr(os, name)))
    return life


def leave_half(name: str, effect: Callable[..., Any], args: tuple[Any, ...]) -> None:
    if name == "write":
        # The worst moment: half of a line of the journal is on the disk.
        effect(args[0], bytes(args[1])[: len(args[1]) // 2])


def watch_commands(life: _Life) -> None:
    """Signals, and commands that change a unit or run a step, are effects, too.

    A command counts twice: it is not yet run, or it runs.
    """
    run, kill = subprocess.Popen.__init__, os.kill

    def start(self: Any, argv: Any, *args: Any, **named: Any) -> None:
        changes = argv[0] == "systemd-run" or (
            argv[0] == "systemctl" and any(word in COMMANDS for word in argv)
        )
        if changes and life.spend():
            life.end()
        run(self, argv, *args, **named)
        if changes and life.spend():
            life.end()

    def send(pid: int, number: int) -> None:
        if number and life.spend():
            life.end()
        kill(pid, number)

    subprocess.Popen.__init__ = start  # type: ignore[assignment]
    os.kill = send


def main(number: str, *arguments: str) -> None:
    life = live_until(int(number))
    watch_commands(life)
    atexit.register(lambda: sys.stderr.write(f"{life.count} effects\n"))
    sys.argv = ["reconcile", *arguments]
    from reconcile.cli.main import main as reconcile

    sys.exit(reconcile())


if __name__ == "__main__":
    main(*sys.argv[1:])
