"""The dependency graph of the resources, for programs that draw it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from reconcile.engine.model import Desired, Ref
from reconcile.output.command_documents import GraphDocument, GraphItem
from reconcile.output.escape import printable
from reconcile.output.json import envelope


def dot(desired: Desired) -> str:
    """Render the graph for Graphviz: an edge leads from a resource to one that it requires."""
    nodes = [f"  {_quoted(ref)};" for ref in sorted(desired)]
    edges = [f"  {_quoted(ref)} -> {_quoted(other)};" for ref, other in _edges(desired)]
    return "\n".join(["digraph reconcile {", "  rankdir=RL;", *nodes, *edges, "}"])


def mermaid_text(desired: Desired) -> str:
    """Render the same graph for Mermaid."""
    number = {ref: f"r{index}" for index, ref in enumerate(sorted(desired))}
    nodes = [f'  {number[ref]}["{_entities(ref)}"]' for ref in sorted(desired)]
    edges = [f"  {number[ref]} --> {number[other]}" for ref, other in _edges(desired)]
    return "\n".join(["graph RL", *nodes, *edges])


def graph_document(desired: Desired, host: str, *, now: datetime) -> GraphDocument:
    """Build the object of `graph --json`."""
    edges = [*_edges(desired)]
    resources = [
        GraphItem(address=str(ref), requires=[str(other) for one, other in edges if one == ref])
        for ref in sorted(desired)
    ]
    return GraphDocument(**envelope(host, now), resources=resources, exit_code=0)


def _edges(desired: Desired) -> Iterator[tuple[Ref, Ref]]:
    for ref in sorted(desired):
        for other in sorted(desired[ref].resource.requires()):
            if other in desired:
                yield ref, other


def _quoted(ref: Ref) -> str:
    text = printable(str(ref)).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _entities(ref: Ref) -> str:
    return printable(str(ref)).replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
