"""`reconcile init`: a first reconcile.yaml, commented."""

from __future__ import annotations

import os
from typing import Annotated, TextIO

import typer

from reconcile.cli.options import Json
from reconcile.cli.terminal import show
from reconcile.config.starter import STARTER
from reconcile.errors import ExitCode, ReconcileError
from reconcile.output.escape import printable
from reconcile.output.json import to_json, written_document

ASSET_FOLDERS = ("app/static", "static", "src/static")


def init(
    file: Annotated[
        str, typer.Option("--file", "-f", metavar="FILE", help="The file to write.")
    ] = "reconcile.yaml",
    json: Json = False,
) -> int:
    """Write a commented reconcile.yaml for a Flask app.

    \b
    Example:
      reconcile init -f shop.yaml

    \b
    Exit codes:
      0  written
      1  error, or the file already exists
    """
    folder = os.path.dirname(os.path.abspath(file))
    _write_new_file(file, STARTER.replace("./app/static", f"./{_asset_folder(folder)}"))
    if json:
        show(to_json(written_document([file])))
    else:
        path = printable(file)
        show(f"Wrote {path}. Edit it to describe your host, then run: reconcile plan -f {path}")
    return ExitCode.OK


def _asset_folder(app: str) -> str:
    """Where the app keeps its assets, else the default of Flask's documentation."""
    found = (name for name in ASSET_FOLDERS if os.path.isdir(os.path.join(app, name)))
    return next(found, ASSET_FOLDERS[0])


def _write_new_file(path: str, content: str) -> None:
    try:
        with open(path, "x", encoding="utf-8") as file:
            _fill(file, content)
    except FileExistsError:
        fix = "Remove it, or use another file with -f. It was not changed."
        raise ReconcileError(f"{path} already exists", "", fix) from None
    except OSError as error:
        why = error.strerror or str(error)
        fix = "Use another file with -f, or run it as a user who can write there."
        raise ReconcileError(f"Cannot write {path}", why, fix) from None


def _fill(file: TextIO, content: str) -> None:
    """Errors: OSError, after which the file is removed: half of one would block a second try."""
    try:
        file.write(content)
        file.flush()
    except OSError:
        os.unlink(file.name)
        raise
