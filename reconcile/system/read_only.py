"""Run a function where no filesystem can be written to."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")
SELINUXFS = "/sys/fs/selinux"
REASONS = {
    errno.EPERM: "CAP_SYS_ADMIN is missing, or a seccomp filter forbids it, as in most containers",
    errno.ENOSYS: "the kernel is older than Linux 5.12",
}


def run_read_only(function: Callable[[], Result], on_unavailable: Callable[[str], None]) -> Result:
    """Return what `function` returns, run where every filesystem is mounted read-only.

    It runs in a thread with its own mounts, which bind all threads and processes that it starts,
    but not the caller. Sockets, devices and selinuxfs stay usable. Where the kernel provides no
    such mounts, `on_unavailable` gets the reason and `function` runs without them. For other users
    than root it simply runs: file permissions keep them from the host's files.
    Errors: those of `function`.
    """
    if os.geteuid() != 0:
        return function()
    results: list[Result] = []
    errors: list[BaseException] = []

    def work() -> None:
        """Keep the result or the error for the caller's thread."""
        try:
            if reason := _remount_read_only():
                on_unavailable(reason)
            results.append(function())
        except BaseException as error:  # noqa: BLE001  raised again by the caller's thread
            errors.append(error)

    # Ctrl-C ends the program without waiting for a daemon thread.
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join()
    if errors:
        raise errors[0]
    return results[0]


def _remount_read_only() -> str:
    """Remount everything read-only for this thread; why the kernel refused, "" where it did not."""
    # Loads ctypes, which only root's plan needs.
    from reconcile.system.kernel import CLONE_NEWNS, MS_PRIVATE, MS_REC, Kernel

    kernel = Kernel()
    try:
        kernel.unshare(CLONE_NEWNS)
        kernel.mount("none", "/", "none", MS_REC | MS_PRIVATE)
        kernel.make_read_only(b"/")
        # Without it libselinux, and so restorecon, takes SELinux for disabled; it holds no files.
        if os.path.ismount(SELINUXFS):
            kernel.make_writable(os.fsencode(SELINUXFS))
    except OSError as error:
        return REASONS.get(error.errno or 0, error.strerror or str(error))
    return ""
