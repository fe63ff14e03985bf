"""`reconcile schema`: the JSON Schemas of the YAML and of what commands print."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from reconcile.cli.options import IgnoredFile, Json
from reconcile.cli.terminal import show
from reconcile.config.json_schema import json_schema
from reconcile.errors import ExitCode, ReconcileError
from reconcile.filesystem.user_files import write_user_file
from reconcile.fleet.fleet_documents import FleetDocument
from reconcile.fleet.fleet_file import Fleet
from reconcile.output.json import to_json, written_document
from reconcile.output.schemas import document_schema, output_schemas, schema_text


def schema(
    name: Annotated[
        str,
        typer.Argument(
            metavar="NAME", help="reconcile (the YAML), or a command: plan, apply, drift, …"
        ),
    ] = "reconcile",
    write: Annotated[
        str | None, typer.Option("--write", metavar="DIR", help="Write all schemas to DIR.")
    ] = None,
    _file: IgnoredFile = None,
    json: Json = False,
) -> int:
    """Print the JSON Schema of the YAML or of a command's output.

    Editors complete and check reconcile.yaml by the first.

    \b
    Examples:
      reconcile schema > reconcile.schema.json
      reconcile schema plan

    \b
    Exit codes:
      0  printed or written
      1  error
    """
    schemas = all_schemas()
    if write is not None:
        files = _write_all(schemas, write)
        show(to_json(written_document(files)) if json else "\n".join(files))
        return ExitCode.OK
    if name not in schemas:
        raise ReconcileError(f"Unknown schema: {name}", "", f"Schemas: {', '.join(schemas)}.")
    show(schema_text(schemas[name]).rstrip())
    return ExitCode.OK


def all_schemas() -> dict[str, dict[str, Any]]:
    """Return all schemas by name, that of the YAML first."""
    files = {"reconcile": json_schema(), "fleet-file": json_schema(Fleet, "fleet.yaml")}
    return {**files, "fleet": document_schema("fleet", FleetDocument), **output_schemas()}


def _write_all(schemas: dict[str, dict[str, Any]], folder: str) -> list[str]:
    paths = []
    for name, content in schemas.items():
        path = os.path.join(folder, f"{name}.schema.json")
        write_user_file(path, schema_text(content).encode(), replaceable=_is_schema)
        paths.append(path)
    return paths


def _is_schema(old: bytes) -> bool:
    return not old or b'"$schema"' in old
