"""The command line as a shell runs it, and a small real host to run it on."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from reconcile.cli.demo.demo_host import DemoHost, create_demo, nginx_binary, remove_demo
from tests.support.fixpoint import plan_after

COMMAND = (sys.executable, "-m", "reconcile")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run `reconcile ARGUMENTS` with its output piped; an environment of its own."""

    def run_command(*arguments: str, **more: Any) -> subprocess.CompletedProcess[str]:
        done = run_once(*arguments, **more)
        if planning := plan_after(arguments, done.returncode):
            left = run_once(*planning, **more)
            assert 0 == left.returncode, left.stdout + left.stderr
        return done

    def run_once(
        *arguments: str,
        cwd: str | Path = tmp_path,
        env: dict[str, str] | None = None,
        **more: object,
    ) -> subprocess.CompletedProcess[str]:
        environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **(env or {})}
        return subprocess.run(  # type: ignore[call-overload, no-any-return] # as subprocess.run
            [*COMMAND, *arguments],
            cwd=cwd,
            env=environment,
            text=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=120,
            **more,
        )

    return run_command


@pytest.fixture
def demo() -> Iterator[DemoHost]:
    """The demo's host before its first apply."""
    with new_demo() as made:
        yield made


@contextmanager
def new_demo() -> Iterator[DemoHost]:
    """A host of the demo's; below /tmp, which other users may enter."""
    root = tempfile.mkdtemp(prefix="reconcile-cli-")
    made = create_demo(root, nginx_binary())
    yield made
    if os.path.isdir(root):
        remove_demo(made)
    shutil.rmtree(root, ignore_errors=True)
