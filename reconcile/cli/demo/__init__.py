"""`reconcile demo`: the whole story in a throw-away folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from reconcile.cli.options import FileUnread, Json
from reconcile.cli.terminal import show
from reconcile.errors import ExitCode

if TYPE_CHECKING:
    from reconcile.cli.demo.stage import Stage


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave it running, and print the address.")
    ] = False,
    stop: Annotated[
        str | None, typer.Option("--stop", metavar="DIR", help="End a demo that was kept.")
    ] = None,
    _file: FileUnread = None,
    json: Json = False,
) -> int:
    """The whole story in a throw-away folder; no root needed."""
    from reconcile.cli.demo.stage import build, found, nginx_binary, take_down

    if stop is not None:
        take_down(found(stop))
        show(_document(stop) if json else f"Stopped, and {stop} is gone.")
        return ExitCode.OK
    from tempfile import mkdtemp

    from reconcile.cli.demo.story import tell

    nginx = nginx_binary()
    stage = build(mkdtemp(prefix="reconcile-demo-"), nginx)
    try:
        with _aside() if json else nullcontext():
            tell(stage)
    finally:
        if not keep:
            take_down(stage)
    if json:
        show(_document(stage.root, stage) if keep else _document(stage.root))
    else:
        end = "\nEverything is stopped and cleaned up."
        show(_kept(stage.address, stage.root) if keep else end)
    return ExitCode.OK


@contextmanager
def _aside() -> Iterator[None]:
    """Whatever the body and its processes say goes to standard error."""
    sys.stdout.flush()
    kept = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, sys.stdout.fileno())
        os.close(kept)


def _document(folder: str, running: Stage | None = None) -> str:
    from reconcile.output.json import demo_document, dumped

    if running is None:
        return dumped(demo_document(folder))
    return dumped(demo_document(folder, running.address, running.port))


def _kept(address: str, root: str) -> str:
    return (
        f"\nIt runs at {address} (http://127.0.0.1 with the Host demo.localhost, "
        f"where that name is not known).\nEnd it with: reconcile demo --stop {root}"
    )
