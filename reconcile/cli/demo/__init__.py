"""`reconcile demo`: a complete example in a temporary folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from tempfile import mkdtemp
from typing import Annotated

import typer

from reconcile.cli.demo.demo_host import DemoHost, create_demo, nginx_binary, open_demo, remove_demo
from reconcile.cli.demo.demo_script import run_demo
from reconcile.cli.options import IgnoredFile, Json
from reconcile.cli.terminal import show
from reconcile.errors import ExitCode
from reconcile.output.json import demo_document, to_json


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave it running, and print its address.")
    ] = False,
    stop: Annotated[
        str | None,
        typer.Option("--stop", metavar="DIR", help="Stop and remove a demo that was kept."),
    ] = None,
    _file: IgnoredFile = None,
    json: Json = False,
) -> int:
    """Run a complete example in a temporary folder, without root.

    Starts a real Nginx and Gunicorn, then runs plan, apply, verify, drift and a repair.

    \b
    Examples:
      reconcile demo
      reconcile demo --keep

    \b
    Exit codes:
      0  completed
      1  error, or a step did not end as expected
    """
    if stop is not None:
        remove_demo(open_demo(stop))
        show(_demo_json(stop) if json else f"Stopped the demo and removed {stop}.")
        return ExitCode.OK
    nginx = nginx_binary()
    host = create_demo(mkdtemp(prefix="reconcile-demo-"), nginx)
    try:
        with _stdout_to_stderr() if json else nullcontext():
            run_demo(host)
    finally:
        if not keep:
            remove_demo(host)
    if json:
        show(_demo_json(host.root, host if keep else None))
    else:
        show(_kept_text(host) if keep else "\nEverything is stopped and removed.")
    return ExitCode.OK


@contextmanager
def _stdout_to_stderr() -> Iterator[None]:
    """The output of the body and its processes goes to standard error."""
    sys.stdout.flush()
    saved = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(saved, sys.stdout.fileno())
        os.close(saved)


def _demo_json(folder: str, running: DemoHost | None = None) -> str:
    if running is None:
        return to_json(demo_document(folder))
    return to_json(demo_document(folder, running.address, running.port))


def _kept_text(host: DemoHost) -> str:
    return (
        f"\nRunning at {host.address} (where that name does not resolve: http://127.0.0.1:"
        f"{host.port}/ with the header Host: demo.localhost)."
        f"\nStop it with: reconcile demo --stop {host.root}"
    )
