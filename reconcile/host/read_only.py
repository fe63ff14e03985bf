"""Looking at the machine from where nothing on it can be written."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Seen = TypeVar("Seen")


def read_only(look: Callable[[], Seen]) -> Seen:
    """What `look` returns or raises, run where every filesystem is mounted read-only.

    A thread with mounts of its own, so that all it starts, threads and processes, is bound
    too and the caller is not. Sockets and devices work as ever. Where we are not root, or
    the kernel gives no such place, `look` simply runs.
    """
    if os.geteuid() != 0:
        return look()
    looking = _Looking(look)
    looking.start()
    looking.join()
    return looking.outcome()


class _Looking(threading.Thread, Generic[Seen]):
    def __init__(self, look: Callable[[], Seen]) -> None:
        # Whoever presses Ctrl-C does not wait for it.
        super().__init__(daemon=True)
        self._look = look
        self._seen: list[Seen] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        _close_the_machine()
        try:
            self._seen.append(self._look())
        except BaseException as error:  # noqa: BLE001  raised again by whoever waits
            self._error = error

    def outcome(self) -> Seen:
        if self._error is not None:
            raise self._error
        return self._seen[0]


def _close_the_machine() -> None:
    """For this thread only, and until it ends."""
    from reconcile.host.kernel import CLONE_NEWNS, MS_PRIVATE, MS_REC, Kernel

    kernel = Kernel()
    try:
        kernel.unshare(CLONE_NEWNS)
        kernel.mount("none", "/", "none", MS_REC | MS_PRIVATE)
        kernel.make_read_only(b"/")
    except OSError:
        # A container without CAP_SYS_ADMIN, or a kernel before 5.12: it is proof, not need.
        return
