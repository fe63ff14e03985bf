"""`reconcile validate`: the file alone, without the host."""

from __future__ import annotations

from reconcile.cli.options import File, Json, Vars, config_file, variables_of
from reconcile.cli.standard_input import load_config
from reconcile.cli.terminal import show, style
from reconcile.config.diagnostics import ConfigErrors, Diagnostic
from reconcile.errors import ExitCode
from reconcile.output.escape import printable
from reconcile.output.json import to_json
from reconcile.output.validation import validation_document


def validate(file: File = None, var: Vars = None, json: Json = False) -> int:
    """Validate the YAML and list all its errors.

    Does not read the host.

    \b
    Example:
      reconcile validate -f shop.yaml

    \b
    Exit codes:
      0  valid
      1  errors in the file
    """
    path = config_file(file)
    try:
        load_config(path, variables_of(var))
    except ConfigErrors as errors:
        if not json:
            raise
        return _print_json(errors.diagnostics)
    if json:
        return _print_json(())
    show(style().good(f"{printable(path)} is valid."))
    return ExitCode.OK


def _print_json(diagnostics: tuple[Diagnostic, ...]) -> int:
    code = ExitCode.ERROR if diagnostics else ExitCode.OK
    show(to_json(validation_document(diagnostics, code)))
    return code
