"""Loads a configuration file, or reports everything that is wrong with it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator, Mapping
from types import MappingProxyType

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from reconcile.config import yaml
from reconcile.config.config import Config
from reconcile.config.diagnostics import ConfigErrors, Diagnostic, Violation
from reconcile.config.document import Loc, YamlNode
from reconcile.config.fields.field_type import ParseContext
from reconcile.config.validation_errors import diagnose, diagnostic
from reconcile.config.variables import put_in
from reconcile.errors import ReconcileError


def load(path: str, variables: Mapping[str, str] = MappingProxyType({})) -> Config:
    """The file at `path`; relative paths in it start at its folder.

    `variables` win over the file's own. Errors: ConfigErrors with every error of the file;
    ReconcileError where it cannot be read, and for a variable that it does not declare.
    """
    return load_bytes(_read_file(path), path, variables)


def load_bytes(
    data: bytes,
    file: str,
    variables: Mapping[str, str] = MappingProxyType({}),
    context: ParseContext | None = None,
) -> Config:
    """The same for the bytes of a file called `file`, by default in the folder of that name."""
    context = context or ParseContext(folder=posixpath.dirname(posixpath.abspath(file)))
    written, rejected = yaml.read(data, file)
    root, in_force, wrong = put_in(written, variables, file)
    config, errors = _validate(root, data, file, context)
    diagnostics = [*rejected, *wrong]
    if errors:
        diagnostics += diagnose(errors, file, root)
    if config is not None:
        diagnostics += _violations(config, errors, file, root)
    if diagnostics or config is None:
        raise ConfigErrors(file, diagnostics)
    return config.with_variables(in_force)


def list_errors(data: bytes, file: str) -> tuple[tuple[Loc, str], ...]:
    """The errors of a generated file, each with its location and message.

    Errors: ConfigErrors where it is not valid YAML.
    """
    root, rejected = yaml.read(data, file)
    if rejected:
        raise ConfigErrors(file, rejected)
    config, errors = _validate(root, data, file, ParseContext())
    own = ((root.existing(e["loc"]), diagnostic(e, file, root).message) for e in errors)
    violations = config.check() if config else ()
    return (*own, *((violation.loc, violation.message) for violation in violations))


def _read_file(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(yaml.MAX_BYTES + 1)
    except OSError as error:
        raise ReconcileError(
            what=f"cannot read {path}",
            why=error.strerror or str(error),
            fix="Name the file with -f, or create one with `reconcile init`. Nothing was changed.",
        ) from None


def _validate(
    root: YamlNode, data: bytes, file: str, context: ParseContext
) -> tuple[Config | None, list[ErrorDetails]]:
    """The configuration, or all errors and the configuration without the invalid parts.

    The latter is only good for finding more errors.
    """
    errors: list[ErrorDetails] = []
    valid = root
    while True:
        try:
            config = Config.model_validate(valid.to_python(), context=context)
            return config.with_source(file, root, data), errors
        except ValidationError as error:
            latest = error.errors(include_url=False)
            errors = errors or latest
            invalid = {valid.existing(detail["loc"]) for detail in latest}
            if () in invalid:
                return None, errors
            valid = valid.without(invalid)


def _violations(
    config: Config, errors: list[ErrorDetails], file: str, root: YamlNode
) -> Iterator[Diagnostic]:
    """The violations that are no consequence of an invalid part."""
    invalid = {root.existing(error["loc"]) for error in errors}
    for violation in config.check():
        is_rejected = root.deepest(violation.loc).is_rejected
        if not is_rejected and not any(_is_consequence(violation, loc) for loc in invalid):
            mark = root.value_mark(violation.loc)
            yield Diagnostic(file, *mark, violation.message, violation.hint)


def _is_consequence(violation: Violation, invalid: Loc) -> bool:
    """Whether the violation may result from the error at `invalid`: beside, above or below it."""
    if violation.is_independent:
        return len(invalid) <= 1
    around, below = invalid[:-1], invalid[: len(violation.loc)]
    return violation.loc[: len(around)] == around or below == violation.loc
