"""`reconcile schema`: the JSON Schemas of what is read and of what is printed."""

from __future__ import annotations

import os
from typing import Annotated, Any

import typer

from reconcile.cli.options import FileUnread, Json
from reconcile.cli.terminal import show
from reconcile.errors import ExitCode, ReconcileError


def schema(
    name: Annotated[
        str,
        typer.Argument(metavar="NAME", help="reconcile (the YAML), plan, apply, drift, verify, …"),
    ] = "reconcile",
    write: Annotated[
        str | None, typer.Option("--write", metavar="DIR", help="Write all of them there.")
    ] = None,
    _file: FileUnread = None,
    json: Json = False,
) -> int:
    """Print a JSON Schema; an editor completes reconcile.yaml from it."""
    from reconcile.output.schemas import schema_text

    schemas = all_schemas()
    if write is not None:
        files = _written(schemas, write)
        show(_document(files) if json else "\n".join(files))
        return ExitCode.OK
    if name not in schemas:
        raise ReconcileError(
            f"There is no schema called {name}", "", f"Known are: {', '.join(schemas)}."
        )
    show(schema_text(schemas[name]).rstrip())
    return ExitCode.OK


def all_schemas() -> dict[str, dict[str, Any]]:
    """Name → schema: the YAML first."""
    from reconcile.config.json_schema import json_schema
    from reconcile.output.schemas import output_schemas

    return {"reconcile": json_schema(), **output_schemas()}


def _document(files: list[str]) -> str:
    from reconcile.output.json import dumped, written_document

    return dumped(written_document(files))


def _written(schemas: dict[str, dict[str, Any]], folder: str) -> list[str]:
    from reconcile.output.schemas import schema_text

    paths = []
    for name, content in schemas.items():
        path = os.path.join(folder, f"{name}.schema.json")
        try:
            with open(path, "w", encoding="utf-8") as file:
                file.write(schema_text(content))
        except OSError as error:
            raise ReconcileError(
                f"{path} cannot be written", error.strerror or "", "Name a folder of yours."
            ) from None
        paths.append(path)
    return paths
