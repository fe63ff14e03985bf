"""`reconcile adopt`: an existing host as reconcile.yaml; changes nothing."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer

from reconcile.adopt.adopt_host import adopt_host
from reconcile.cli.options import LOCAL, Json, Sites
from reconcile.cli.read_only_guard import ReadOnlyGuard
from reconcile.cli.terminal import now, show, style
from reconcile.config.load import load
from reconcile.errors import ReconcileError
from reconcile.filesystem.user_files import write_user_file
from reconcile.output.adoption import TextFile, adopt_document, notes_text
from reconcile.output.json import to_json
from reconcile.system import Host
from reconcile.wording import counted

PRIVATE, PUBLIC = 0o600, 0o644


def adopt(
    # No default: the shell has emptied reconcile.yaml before `adopt > reconcile.yaml` starts.
    file: Annotated[
        str | None,
        typer.Option(
            "--file", "-f", metavar="FILE", help="Take the `host` section from this YAML."
        ),
    ] = None,
    json: Json = False,
    site: Sites = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write to FILE, which must not exist."),
    ] = None,
) -> int:
    """Write the existing setup of this host as a reconcile.yaml.

    A plan with this YAML shows no changes. The host is not changed.

    \b
    Examples:
      reconcile adopt -o reconcile.yaml
      reconcile adopt --site shop

    \b
    Exit codes:
      0  written
      1  error, or the YAML does not cover everything
    """
    if output is not None:
        _refuse_existing(output)
    host = Host(load(file).host_settings()) if file else Host()
    read_only = ReadOnlyGuard()
    adopted = read_only(
        lambda: adopt_host(host, output or LOCAL, site or (), has_files=output is not None)
    )
    if output is not None:
        # Readable by everyone only if all that it holds is.
        mode = PRIVATE if adopted.secret else None
        for text in adopted.files:
            _write_beside(output, text)
        write_user_file(output, adopted.text.encode(), mode=mode)
    if json:
        show(to_json(adopt_document(adopted, host.name, now=now())))
    else:
        read_only.print_note()
        sys.stderr.write(notes_text(adopted, style(sys.stderr)) + "\n")
        if output is None:
            sys.stdout.write(adopted.text)
        else:
            count = f" and {counted(len(adopted.files), 'file')} beside it" if adopted.files else ""
            show(
                f"Wrote {output}{count}. Nothing else was changed. Next: reconcile plan -f {output}"
            )
    return adopted.exit_code


def _write_beside(output: str, text: TextFile) -> None:
    path = os.path.join(os.path.dirname(output), text.path)
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    _refuse_existing(path)
    write_user_file(path, text.data, mode=PRIVATE if text.is_secret else PUBLIC)


def _refuse_existing(path: str) -> None:
    if os.path.lexists(path):
        fix = "Remove it, or use another file with -o. It was not changed."
        raise ReconcileError(f"{path} already exists", "", fix)
