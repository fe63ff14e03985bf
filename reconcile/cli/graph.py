"""`reconcile graph`: the resources and their order."""

from __future__ import annotations

from typing import Annotated

import typer

from reconcile.cli.options import File, Json, Vars, require_single_format
from reconcile.cli.terminal import now, show
from reconcile.cli.workspaces import open_workspace
from reconcile.errors import ExitCode
from reconcile.output.json import to_json
from reconcile.output.resource_graph import dot, graph_document, mermaid_text


def graph(
    file: File = None,
    var: Vars = None,
    json: Json = False,
    mermaid: Annotated[
        bool, typer.Option("--mermaid", help="Print Mermaid, for Markdown, instead of DOT.")
    ] = False,
) -> int:
    """Print the dependency graph as DOT or Mermaid.

    \b
    Example:
      reconcile graph | dot -Tsvg > graph.svg

    \b
    Exit codes:
      0  printed
      1  error
    """
    require_single_format(json=json, mermaid=mermaid)
    workspace = open_workspace(file, var)
    if json:
        show(to_json(graph_document(workspace.desired, workspace.host.name, now=now())))
    else:
        show(mermaid_text(workspace.desired) if mermaid else dot(workspace.desired))
    return ExitCode.OK
