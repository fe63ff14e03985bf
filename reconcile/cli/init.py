"""`reconcile init`: a first reconcile.yaml, commented."""

from __future__ import annotations

import os
from typing import Annotated, TextIO

import typer

from reconcile.cli.options import Json
from reconcile.cli.terminal import show
from reconcile.errors import ExitCode, ReconcileError

USUAL_SOURCES = ("app/static", "static", "src/static")


def init(
    file: Annotated[
        str, typer.Option("--file", "-f", metavar="FILE", help="Where to write it.")
    ] = "reconcile.yaml",
    json: Json = False,
) -> int:
    """Write a commented reconcile.yaml for a Flask app."""
    from reconcile.config.starter import STARTER
    from reconcile.output.escape import printable

    folder = os.path.dirname(os.path.abspath(file))
    _write(file, STARTER.replace("./app/static", f"./{_static_source(folder)}"))
    told = f"Wrote {file}. Say there what your host should be, then: reconcile plan -f {file}"
    show(_document(file) if json else printable(told))
    return ExitCode.OK


def _document(file: str) -> str:
    from reconcile.output.json import dumped, written_document

    return dumped(written_document([file]))


def _static_source(folder: str) -> str:
    """Where the app beside the file keeps its assets, or the usual place for them."""
    there = (name for name in USUAL_SOURCES if os.path.isdir(os.path.join(folder, name)))
    return next(there, USUAL_SOURCES[0])


def _write(path: str, content: str) -> None:
    try:
        with open(path, "x", encoding="utf-8") as file:
            _fill(file, content)
    except FileExistsError:
        fix = "Remove it, or name another file with -f."
        raise ReconcileError(f"{path} is there already", "", f"{fix} It was not touched.") from None
    except OSError as error:
        why = error.strerror or str(error)
        fix = "Name another with -f, or become somebody who may write there."
        raise ReconcileError(f"{path} cannot be written", why, fix) from None


def _fill(file: TextIO, content: str) -> None:
    """Errors: OSError, after which the file is gone: a part of it would be in the way."""
    try:
        file.write(content)
        file.flush()
    except OSError:
        os.unlink(file.name)
        raise
