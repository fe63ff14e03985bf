"""A step of a release: a command that makes the new version ready to run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated

from pydantic import Field, Tag

from reconcile.config.config_model import ConfigModel
from reconcile.config.diagnostics import Violation
from reconcile.config.document import Loc
from reconcile.config.fields.field_type import FieldType
from reconcile.config.fields.path_types import UnitPath
from reconcile.config.fields.quantities import Duration
from reconcile.config.fields.short_form import short_or_mapping
from reconcile.config.site.gunicorn import parse_argument
from reconcile.config.site.location_directories import is_system_directory
from reconcile.config.site.release_placeholder import put_in
from reconcile.resources.gunicorn_params import GunicornParams
from reconcile.resources.gunicorn_units import sandbox_properties
from reconcile.resources.release import ReleaseStep

STEP_TIMEOUT_S = 600
_OF_A_SHELL = frozenset({"&&", "||", "|"})
LONGEST_STEP_S = 86_400

Word = Annotated[
    str, FieldType(parse_argument, {"type": "string", "minLength": 1, "maxLength": 4096})
]


class Step(ConfigModel):
    """A command that is run in the new release before it is used."""

    run: Annotated[tuple[Word, ...], Field(min_length=1)] = Field(
        description="The program and its arguments; no shell reads them.",
        examples=[[".venv/bin/flask", "db", "upgrade"]],
    )
    timeout: Duration = Field(default=STEP_TIMEOUT_S, description="How long it may take.")
    irreversible: bool = Field(
        default=False, description="Its effect, such as that of a migration, cannot be rolled back."
    )
    backward_compatible: bool = Field(
        default=False, description="The previous release still works after this step."
    )
    writable: tuple[UnitPath, ...] = Field(
        default=(), description="Further directories that it may write."
    )


# Pydantic adds the tag to the location of an error: it must not look like a key.
WORDS, MAPPING = "(command)", "(mapping)"


StepChoice = Annotated[
    Annotated[tuple[Word, ...], Tag(WORDS), Field(min_length=1)] | Annotated[Step, Tag(MAPPING)],
    short_or_mapping(WORDS, MAPPING, Step),
]


def check_step(loc: Loc, step: Step) -> Iterator[Violation]:
    """The timeout is sensible, and the keys go together."""
    if not 0 < step.timeout <= LONGEST_STEP_S:
        message = "the timeout of a step is from 1s to 1d"
        yield Violation((*loc, "timeout"), message, "use 10m")
    if step.backward_compatible and not step.irreversible:
        message = "`backward_compatible` is only for irreversible steps"
        yield Violation((*loc, "backward_compatible"), message, "add irreversible: true")
    for word in _OF_A_SHELL.intersection(step.run):
        message = f"no shell reads a step, so {word} is an argument"
        yield Violation(loc, message, 'write several steps, or [sh, -c, "…"]')
    for index, path in enumerate(step.writable):
        if is_system_directory(path):
            hint = "use a directory of the app, such as /srv/myapp/instance"
            message = f"{path} belongs to the system"
            yield Violation((*loc, "writable", index), message, hint)


def compile_step(step: Step, folder: str, view: GunicornParams) -> ReleaseStep:
    """The step as it is run in the release in `folder`, by an app with the unit of `view`."""
    writable = (*view.writable, *step.writable, folder)
    return ReleaseStep(
        tuple(put_in(folder, word) for word in step.run),
        step.timeout,
        step.irreversible,
        step.backward_compatible,
        sandbox_properties(replace(view, writable=writable)),
    )
