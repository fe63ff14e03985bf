"""`reconcile graph`: the resources and their order."""

from __future__ import annotations

from typing import Annotated

import typer

from reconcile.cli.options import File, Json, opened, refuse_two_forms
from reconcile.cli.terminal import now, show
from reconcile.errors import ExitCode


def graph(
    file: File = None,
    json: Json = False,
    mermaid: Annotated[
        bool, typer.Option("--mermaid", help="Mermaid, for Markdown, instead of DOT.")
    ] = False,
) -> int:
    """Print what requires what, as DOT or Mermaid."""
    from reconcile.output.graph import dot, graph_document, mermaid_text

    refuse_two_forms(json=json, mermaid=mermaid)
    workspace = opened(file)
    if json:
        from reconcile.output.json import dumped

        document = graph_document(workspace.desired, workspace.host.name, now=now())
        show(dumped(document))
    else:
        show(mermaid_text(workspace.desired) if mermaid else dot(workspace.desired))
    return ExitCode.OK
