"""Options that are text are taken as they were typed.

Typer builds a validator of pydantic for each option, also for one that was not given: a third of
a plan that finds nothing to do. A text needs none, and neither does a default.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from reconcile.dataclass import dataclass


@dataclass(frozen=True)
class OptionValue:
    """How the value of one option is converted: by Typer, `validated`, only where it has to be."""

    annotation: Any
    validated: Callable[[], Any]

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value. Errors: those of Typer's own conversion."""
        if value is None:
            return () if param.multiple else None
        # A text as it was typed, or a default.
        if type(value) is self.annotation:
            return value
        if self.annotation == list[str] and isinstance(value, tuple):
            return [*value]
        return self.validated().coerce(value, param=param, ctx=ctx)


def take_text_as_typed(command: Any, ctx: Any) -> None:
    """Spare the options of a Typer command, or group, the validators that they do not need."""
    for part in getattr(command, "commands", {}).values():
        take_text_as_typed(part, ctx)
    for option in command.get_params(ctx):
        # Versions of Typer without it convert with Click alone.
        if validated := getattr(option, "get_runtime_param", None):
            value = OptionValue(option.type_descriptor.annotation, validated)
            option.get_runtime_param = partial(_itself, value)


def _itself(value: OptionValue) -> OptionValue:
    return value
