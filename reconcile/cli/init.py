"""`reconcile init`: a first reconcile.yaml, commented."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from reconcile.cli.options import Json
from reconcile.cli.terminal import show
from reconcile.config.starter import STARTER
from reconcile.errors import ExitCode
from reconcile.filesystem.user_files import write_user_file
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
    text = STARTER.replace("./app/static", f"./{_asset_folder(folder)}")
    write_user_file(file, text.encode())
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
