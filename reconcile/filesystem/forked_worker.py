"""A forked process that does one piece of work and returns its result through a pipe."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from reconcile.filesystem.parallel import WorkerDied


def fork_worker(work: Callable[[], object]) -> tuple[int, int]:
    """A forked worker: its process id, and the pipe that its results come through."""
    results, output = os.pipe()
    with warnings.catch_warnings():
        # The child makes system calls only, so another thread's locks cannot stop it.
        warnings.simplefilter("ignore", DeprecationWarning)
        process = os.fork()
    if process == 0:
        _work_and_exit(work, output)
    os.close(output)
    return process, results


def _work_and_exit(work: Callable[[], object], output: int) -> None:
    failed = 1
    try:
        # Collecting garbage would write to, and so copy, every page shared with the parent.
        gc.disable()
        with os.fdopen(output, "wb") as pipe:
            pickle.dump(work(), pipe, pickle.HIGHEST_PROTOCOL)
        failed = 0
    finally:
        # Never back into the parent's code, not even by an exception.
        os._exit(failed)


def collect(process: int, results: int) -> Any:
    """What the worker returned. Errors: WorkerDied."""
    with os.fdopen(results, "rb") as pipe:
        data = pipe.read()
    _, status = os.waitpid(process, 0)
    if status != 0:
        raise WorkerDied(0, "a process that read a part of the tree has died")
    return pickle.loads(data)  # noqa: S301  our own child's, over a pipe of our own


def kill(process: int, results: int) -> None:
    """End a worker whose results are no longer needed."""
    os.close(results)
    with suppress(ProcessLookupError):
        os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
