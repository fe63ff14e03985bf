"""Loads a configuration file, or reports everything that is wrong with it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from reconcile.config import yaml
from reconcile.config.config import Config
from reconcile.config.config_file import ConfigFile, read_file
from reconcile.config.diagnostics import ConfigErrors, Diagnostic, Violation
from reconcile.config.document import Loc, YamlNode
from reconcile.config.fields.field_type import ParseContext
from reconcile.config.validation_errors import diagnose, diagnostic
from reconcile.config.variables import put_in

Model = TypeVar("Model", bound=BaseModel)


def load(path: str, variables: Mapping[str, str] = MappingProxyType({})) -> Config:
    """The file at `path`; relative paths in it start at its folder.

    `variables` win over the file's own. Errors: ConfigErrors with every error of the file;
    ReconcileError where it cannot be read, and for a variable that it does not declare.
    """
    return ConfigFile(path, read_file(path), variables).load()


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
    valid, errors = validate(Config, root, context)
    config = valid and valid.with_source(file, root, data)
    diagnostics = [*rejected, *wrong]
    if errors:
        diagnostics += diagnose(errors, file, root, Config)
    if config is not None:
        diagnostics += diagnose_violations(config.check(), errors, file, root)
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
    valid, errors = validate(Config, root, ParseContext(posixpath.dirname(posixpath.abspath(file))))
    own = ((root.existing(e["loc"]), diagnostic(e, file, root, Config).message) for e in errors)
    violations = valid.with_source(file, root, data).check() if valid else ()
    return (*own, *((violation.loc, violation.message) for violation in violations))


def validate(
    model: type[Model], root: YamlNode, context: ParseContext
) -> tuple[Model | None, list[ErrorDetails]]:
    """The document as a `model`, or all errors and the model without the invalid parts.

    The latter is only good for finding more errors.
    """
    errors: list[ErrorDetails] = []
    valid = root
    while True:
        try:
            return model.model_validate(valid.to_python(), context=context), errors
        except ValidationError as error:
            latest = error.errors(include_url=False)
            errors = errors or latest
            invalid = {valid.existing(detail["loc"]) for detail in latest}
            if () in invalid:
                return None, errors
            valid = valid.without(invalid)


def diagnose_violations(
    violations: Iterable[Violation], errors: list[ErrorDetails], file: str, root: YamlNode
) -> Iterator[Diagnostic]:
    """The violations that are no consequence of an invalid part."""
    invalid = {root.existing(error["loc"]) for error in errors}
    for violation in violations:
        is_rejected = root.deepest(violation.loc).is_rejected
        if not is_rejected and not any(_is_consequence(violation, loc) for loc in invalid):
            mark = root.value_mark(violation.loc)
            yield Diagnostic(file, *mark, violation.message, violation.hint)


def _is_consequence(violation: Violation, invalid: Loc) -> bool:
    """Whether the violation may result from the error at `invalid`: beside, above or below it."""
    if violation.absent and invalid[: len(violation.absent)] == violation.absent:
        return True
    if violation.is_independent:
        return len(invalid) <= 1
    around, below = invalid[:-1], invalid[: len(violation.loc)]
    return violation.loc[: len(around)] == around or below == violation.loc
