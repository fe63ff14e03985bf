"""`reconcile render`: the files that a YAML makes, without a host."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Annotated

import typer

from reconcile.cli.options import (
    File,
    Json,
    Sites,
    Vars,
    config_file,
    require_single_format,
    variables_of,
)
from reconcile.cli.standard_input import load_config
from reconcile.cli.terminal import show
from reconcile.errors import ExitCode, ReconcileError
from reconcile.filesystem.host_error import explained
from reconcile.filesystem.user_files import write_user_file
from reconcile.output.command_documents import RenderedFile
from reconcile.output.escape import printable
from reconcile.output.json import to_json
from reconcile.output.rendering import render_document, render_text, rendered_files
from reconcile.wording import counted
from reconcile.workspace.offline import ASSUMED, compile_offline


def render(
    file: File = None,
    var: Vars = None,
    json: Json = False,
    site: Sites = None,
    out: Annotated[
        str | None,
        typer.Option("--out", metavar="DIR", help="Write the files below DIR, a new folder."),
    ] = None,
) -> int:
    """Print the files that the YAML generates, without a host.

    A Debian host with nginx's packaged configuration is assumed. Secrets are not printed.

    \b
    Examples:
      reconcile render --site shop
      reconcile render --out rendered

    \b
    Exit codes:
      0  printed or written
      1  error
    """
    require_single_format(json=json, out=out is not None)
    compiled = compile_offline(load_config(config_file(file), variables_of(var)))
    _require_sites(site or (), tuple(compiled.config.sites))
    files = rendered_files(compiled.declared.values(), site or ())
    if out is not None:
        show(_write_files(files, out))
    elif json:
        show(to_json(render_document(files, compiled.config, ASSUMED)))
    else:
        show(render_text(files))
    return ExitCode.OK


def _require_sites(names: Sequence[str], declared: Sequence[str]) -> None:
    for name in names:
        if name not in declared:
            raise ReconcileError(
                f"Unknown site: {name}", "", f"Sites: {', '.join(sorted(declared))}."
            )


def _write_files(files: Sequence[RenderedFile], out: str) -> str:
    """Write them below `out`, which nobody else can have made: it is new."""
    if os.path.lexists(out):
        raise ReconcileError(
            f"{out} already exists",
            "the files are written to a new folder",
            "Choose another folder, or remove this one. It was not changed.",
        )
    with explained(f"{out} cannot be written"):
        os.mkdir(out)
    written = [file for file in files if file.content is not None and not file.sensitive]
    for file in written:
        os.makedirs(os.path.dirname(out + file.path), exist_ok=True)
        write_user_file(out + file.path, (file.content or "").encode("utf-8", "surrogateescape"))
    left = len(files) - len(written)
    note = f"; left out: {counted(left, 'symlink or secret')}" if left else ""
    return f"{counted(len(written), 'file')} written below {printable(out)}{note}"
