"""`reconcile validate`: the file alone, without the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from reconcile.cli.options import File, Json, chosen_file
from reconcile.cli.terminal import show, style
from reconcile.errors import ExitCode

if TYPE_CHECKING:
    from reconcile.config.diagnostics import Diagnostic


def validate(file: File = None, json: Json = False) -> int:
    """Check the YAML alone; every error of it at once."""
    from reconcile.config.diagnostics import ConfigErrors
    from reconcile.config.load import load

    path = chosen_file(file)
    try:
        load(path)
    except ConfigErrors as errors:
        if not json:
            raise
        return _print_json(errors.diagnostics)
    return _print_json(()) if json else _told_valid(path)


def _told_valid(path: str) -> int:
    from reconcile.output.escape import printable

    show(style().good(f"{printable(path)} is valid."))
    return ExitCode.OK


def _print_json(diagnostics: tuple[Diagnostic, ...]) -> int:
    from reconcile.output.json import dumped
    from reconcile.output.validation import validation_document

    code = ExitCode.ERROR if diagnostics else ExitCode.OK
    show(dumped(validation_document(diagnostics, code)))
    return code
