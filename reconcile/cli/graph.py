"""`reconcile graph`: the resources and their order."""

from __future__ import annotations

from typing import Annotated

import typer

from reconcile.cli.options import File, opened
from reconcile.cli.terminal import show
from reconcile.errors import ExitCode


def graph(
    file: File = None,
    mermaid: Annotated[
        bool, typer.Option("--mermaid", help="Mermaid, for Markdown, instead of DOT.")
    ] = False,
) -> int:
    """Print what requires what, as DOT."""
    from reconcile.output.graph import dot, mermaid_text

    desired = opened(file).desired
    show(mermaid_text(desired) if mermaid else dot(desired))
    return ExitCode.OK
