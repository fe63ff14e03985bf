"""The folder that outlives a test run: built once under a lock, complete or absent."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

DAY_S = 86_400


def cache_folder() -> Path:
    """Where images and runs are kept, created on demand."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = Path(os.environ.get("RECONCILE_TEST_CACHE") or home / "reconcile-tests")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold `path` as an exclusive lock; the kernel frees it when this process dies."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def built_once(name: str, build: Callable[[Path], None]) -> Path:
    """The folder `name` of the cache, made by `build` beside it, renamed when complete."""
    target = cache_folder() / name
    with locked(cache_folder() / f".{name}.lock"):
        if not target.exists():
            partial = cache_folder() / f"{name}.partial"
            remove_tree(partial)
            partial.mkdir()
            build(partial)
            partial.rename(target)
    os.utime(target)
    return target


def prune(prefix: str, *, unused_days: float) -> None:
    """Remove images `prefix…` that no run has asked for in `unused_days`."""
    for image in cache_folder().glob(f"{prefix}-*"):
        if image.is_dir() and time.time() - image.stat().st_mtime > unused_days * DAY_S:
            remove_tree(image)


def remove_tree(folder: Path) -> None:
    """Remove `folder` whole, files made immutable included."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        subprocess.run(["chattr", "-R", "-f", "-i", "-a", folder], check=False)
        shutil.rmtree(folder)
