"""From a file to a Spec, or to everything that is wrong with it."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from reconcile.config import yaml
from reconcile.config.diagnostics import Diagnostic, SpecErrors
from reconcile.config.models.spec import Spec
from reconcile.config.nodes import Loc, Node, place_mark, plain, real
from reconcile.config.values.written import Context
from reconcile.errors import ReconcileError

if TYPE_CHECKING:
    from reconcile.config.checks import Fault


def load(path: str) -> Spec:
    """The file at `path`; relative paths in it start at its folder.

    Errors: SpecErrors with every fault of the file; ReconcileError where it cannot be read.
    """
    return loads(_read(path), path)


def loads(data: bytes, file: str) -> Spec:
    """The same for the bytes of a file that is called `file`."""
    root, found = yaml.read(data, file)
    context = Context(folder=posixpath.dirname(posixpath.abspath(file)))
    spec, errors = _validated(plain(root), context)
    if errors:
        found += tuple(_diagnosed(errors, file, root))
    if spec is not None:
        found += _cross_checked(spec, errors, file, root)
    if found or spec is None:
        raise SpecErrors(file, found)
    return spec.come_from(file, root, data)


def faults(data: bytes, file: str) -> tuple[tuple[Loc, str], ...]:
    """What is wrong with a file, by the keys that lead there: for a program that wrote it.

    Errors: SpecErrors where it is no YAML that we read.
    """
    from reconcile.config.checks import check
    from reconcile.config.faults import diagnostic

    root, found = yaml.read(data, file)
    if found:
        raise SpecErrors(file, found)
    spec, errors = _validated(plain(root), Context(posixpath.dirname(posixpath.abspath(file))))
    own = ((real(root, error["loc"]), diagnostic(error, file, root).message) for error in errors)
    between = check(spec, root) if spec else ()
    return (*own, *((fault.loc, fault.message) for fault in between))


def _read(path: str) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(yaml.LARGEST_BYTES + 1)
    except OSError as error:
        raise ReconcileError(
            what=f"{path} cannot be read",
            why=error.strerror or str(error),
            fix="Name the file with -f, or write one with `reconcile init`. Nothing was changed.",
        ) from None


def _diagnosed(errors: list[ErrorDetails], file: str, root: Node) -> Iterator[Diagnostic]:
    from reconcile.config.faults import diagnostic, follows, misspelt

    meant = misspelt(errors)
    told = (error for error in errors if not follows(error, root, meant))
    return (diagnostic(error, file, root) for error in told)


def _validated(values: Any, context: Context) -> tuple[Spec | None, list[ErrorDetails]]:
    """The spec and no errors, or all errors and the spec of what is left without the faulty parts.

    What is left is only good for finding further errors.
    """
    errors: list[ErrorDetails] = []
    while True:
        try:
            return Spec.model_validate(values, context=context), errors
        except ValidationError as error:
            fresh = error.errors(include_url=False)
            errors = errors or fresh
            values = _without(values, [detail["loc"] for detail in fresh])
            if values is None:
                return None, errors


def _without(values: Any, locs: list[Loc]) -> Any:
    """`values` without what stands at `locs`, or above where nothing stands there; None for all."""
    gone = {_existing(values, loc) for loc in locs}
    return None if () in gone else _pruned(values, gone, ())


def _existing(values: Any, loc: Loc) -> Loc:
    """The path to the value that an error is about; to the parent of one that is missing."""
    steps: list[str | int] = []
    for part in loc:
        below = _below(values, part)
        if below is not None:
            values = below[0]
            steps.append(part)
    return tuple(steps)


def _below(values: Any, part: str | int) -> tuple[Any] | None:
    if isinstance(values, dict) and part in values:
        return (values[part],)
    if isinstance(values, tuple) and isinstance(part, int) and part < len(values):
        return (values[part],)
    return None


def _pruned(values: Any, gone: set[Loc], here: Loc) -> Any:
    if isinstance(values, dict):
        return {
            key: _pruned(value, gone, (*here, key))
            for key, value in values.items()
            if (*here, key) not in gone
        }
    if isinstance(values, tuple):
        return tuple(
            _pruned(value, gone, (*here, index))
            for index, value in enumerate(values)
            if (*here, index) not in gone
        )
    return values


def _cross_checked(
    spec: Spec, errors: list[ErrorDetails], file: str, root: Node
) -> tuple[Diagnostic, ...]:
    """The faults between parts; none that could follow from a part that is faulty by itself."""
    from reconcile.config.checks import check

    faulty = {real(root, error["loc"]) for error in errors}
    return tuple(
        Diagnostic(file, *place_mark(root, fault.loc), fault.message, fault.hint)
        for fault in check(spec, root)
        if not any(_may_explain(loc, fault) for loc in faulty)
    )


def _may_explain(faulty: Loc, fault: Fault) -> bool:
    """Whether `fault` may come only of what is wrong at `faulty`: beside or above it, or below."""
    if fault.certain:
        return len(faulty) <= 1
    around, below = faulty[:-1], faulty[: len(fault.loc)]
    return fault.loc[: len(around)] == around or below == fault.loc
