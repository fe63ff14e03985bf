"""Looking at the machine from where nothing on it can be written."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Result = TypeVar("Seen")
Refused = Callable[[str], None]
REASONS = {
    errno.EPERM: "CAP_SYS_ADMIN is missing, or a seccomp filter forbids it, as in most containers",
    errno.ENOSYS: "the kernel is older than Linux 5.12",
}


def run_read_only(function: Callable[[], Result], on_unavailable: Refused) -> Result:
    """What `look` returns or raises, run where every filesystem is mounted read-only.

    A thread with mounts of its own, so that all it starts, threads and processes, is bound
    too and the caller is not. Sockets and devices work as ever. Where the kernel gives no
    such place `refused` is told why, and `look` runs all the same. For anyone but root it
    simply runs: the kernel keeps a user from the host's files anyway.
    """
    if os.geteuid() != 0:
        return function()
    looking = _ReadOnlyThread(function, on_unavailable)
    looking.start()
    looking.join()
    return looking.outcome()


class _ReadOnlyThread(threading.Thread, Generic[Result]):
    def __init__(self, look: Callable[[], Result], refused: Refused) -> None:
        # Whoever presses Ctrl-C does not wait for it.
        super().__init__(daemon=True)
        self._look, self._refused = look, refused
        self._seen: list[Result] = []
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            why = _remount_read_only()
            if why:
                self._refused(why)
            self._seen.append(self._look())
        except BaseException as error:  # noqa: BLE001  raised again by whoever waits
            self._error = error

    def outcome(self) -> Result:
        if self._error is not None:
            raise self._error
        return self._seen[0]


def _remount_read_only() -> str:
    """For this thread only, and until it ends; why the kernel refused, "" where it did not."""
    from reconcile.system.kernel import CLONE_NEWNS, MS_PRIVATE, MS_REC, Kernel

    kernel = Kernel()
    try:
        kernel.unshare(CLONE_NEWNS)
        kernel.mount("none", "/", "none", MS_REC | MS_PRIVATE)
        kernel.make_read_only(b"/")
    except OSError as error:
        return REASONS.get(error.errno or 0, error.strerror or str(error))
    return ""
