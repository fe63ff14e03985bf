"""Resources and what each requires, for programs that draw."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from reconcile.engine.model import Desired, Ref
from reconcile.output import documents as doc
from reconcile.output.escape import printable
from reconcile.output.json import head


def dot(desired: Desired) -> str:
    """The graph for Graphviz: an arrow leads from a resource to what it requires."""
    nodes = [f"  {_quoted(ref)};" for ref in sorted(desired)]
    edges = [f"  {_quoted(ref)} -> {_quoted(other)};" for ref, other in _edges(desired)]
    return "\n".join(["digraph reconcile {", "  rankdir=RL;", *nodes, *edges, "}"])


def mermaid_text(desired: Desired) -> str:
    """The same for Mermaid."""
    number = {ref: f"r{index}" for index, ref in enumerate(sorted(desired))}
    nodes = [f'  {number[ref]}["{_entities(ref)}"]' for ref in sorted(desired)]
    edges = [f"  {number[ref]} --> {number[other]}" for ref, other in _edges(desired)]
    return "\n".join(["graph RL", *nodes, *edges])


def graph_document(desired: Desired, host: str, *, now: datetime) -> doc.GraphDocument:
    """The object of `graph --json`."""
    edges = [*_edges(desired)]
    resources = [
        doc.GraphItem(address=str(ref), requires=[str(other) for one, other in edges if one == ref])
        for ref in sorted(desired)
    ]
    return doc.GraphDocument(**head(host, now), resources=resources, exit_code=0)


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
