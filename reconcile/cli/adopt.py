"""`reconcile adopt`: an existing host as reconcile.yaml; changes nothing."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer

from reconcile.cli.options import LOCAL, Json, Sites
from reconcile.cli.terminal import now, show, style
from reconcile.errors import ReconcileError

if TYPE_CHECKING:
    from reconcile.adopt.adoption import Adopted
    from reconcile.system import Host

_PRIVATE, _PUBLIC = 0o600, 0o644


def adopt(
    # Never the usual file: `adopt > reconcile.yaml` has emptied it by now.
    file: Annotated[
        str | None,
        typer.Option("--file", "-f", metavar="FILE", help="A YAML whose `host` section holds."),
    ] = None,
    json: Json = False,
    site: Sites = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write it there, if nothing is there."),
    ] = None,
) -> int:
    """Write what is on this host as a reconcile.yaml.

    A plan made with it is empty; nothing on the host is changed.
    """
    from reconcile.adopt.adoption import adopt as adopted
    from reconcile.cli.looking import Looking

    if output is not None:
        _refuse_existing(output)
    host, looking = _host(file), Looking()
    found = looking(lambda: adopted(host, output or LOCAL, site or ()))
    if output is not None:
        _write(output, found)
    if json:
        from reconcile.output.adopt import adopt_document
        from reconcile.output.json import dumped

        show(dumped(adopt_document(found, host.name, now=now())))
    else:
        looking.tell()
        _tell(found)
        if output is None:
            sys.stdout.write(found.text)
        else:
            show(f"Wrote {output}. Nothing else was changed. Next: reconcile plan -f {output}")
    return found.exit_code


def _host(file: str | None) -> Host:
    from reconcile.config.load import load
    from reconcile.system import Host

    return Host(load(file).host.settings()) if file else Host()


def _tell(found: Adopted) -> None:
    from reconcile.output.adopt import notes_text

    text = notes_text(found, style(sys.stderr))
    if text:
        sys.stderr.write(text + "\n")


def _refuse_existing(path: str) -> None:
    if os.path.lexists(path):
        fix = "Remove it, or name another file with -o."
        raise ReconcileError(f"{path} is there already", "", f"{fix} It was not touched.")


def _write(path: str, found: Adopted) -> None:
    """Readable for all only where everything in it is."""
    mode = _PRIVATE if found.secret else _PUBLIC
    try:
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(fd, "w", encoding="utf-8", newline="") as file:
            file.write(found.text)
    except OSError as error:
        why = error.strerror or str(error)
        raise ReconcileError(f"{path} cannot be written", why, "Name another with -o.") from None
