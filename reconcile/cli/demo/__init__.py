"""`reconcile demo`: the whole story in a throw-away folder."""

from __future__ import annotations

from typing import Annotated

import typer

from reconcile.cli.terminal import show
from reconcile.errors import ExitCode


def demo(
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave it running, and print the address.")
    ] = False,
    stop: Annotated[
        str | None, typer.Option("--stop", metavar="DIR", help="End a demo that was kept.")
    ] = None,
) -> int:
    """The whole story in a throw-away folder; no root needed."""
    from reconcile.cli.demo.stage import build, found, nginx_binary, take_down

    if stop is not None:
        take_down(found(stop))
        show(f"Stopped, and {stop} is gone.")
        return ExitCode.OK
    from tempfile import mkdtemp

    from reconcile.cli.demo.story import tell

    nginx = nginx_binary()
    stage = build(mkdtemp(prefix="reconcile-demo-"), nginx)
    try:
        tell(stage)
    finally:
        if not keep:
            take_down(stage)
    show(_kept(stage.address, stage.root) if keep else "\nEverything is stopped and cleaned up.")
    return ExitCode.OK


def _kept(address: str, root: str) -> str:
    return (
        f"\nIt runs at {address} (http://127.0.0.1 with the Host demo.localhost, "
        f"where that name is not known).\nEnd it with: reconcile demo --stop {root}"
    )
