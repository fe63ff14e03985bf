"""How a type tells what may be written for it, to the loader and to an editor alike."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic_core import core_schema


class UnfitError(ValueError):
    """A value that cannot stand where it stands; `hint` says what can."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class Octal(str):
    """An unquoted number that begins with 0: octal to some YAML readers, decimal to others."""

    __slots__ = ()


@dataclass(frozen=True)
class Context:
    """What the meaning of a value may depend on besides itself."""

    folder: str = "/"


@dataclass(frozen=True, eq=False)
class Written:
    """Annotation of a field: `parse` makes the value of what was written, `schema` describes it.

    `parse` raises UnfitError. It is given the Context as well where `in_context` is set.
    """

    parse: Callable[..., Any]
    schema: dict[str, Any]
    in_context: bool = False

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> core_schema.CoreSchema:
        if self.in_context:
            return core_schema.with_info_plain_validator_function(
                lambda value, info: self.parse(value, info.context or Context())
            )
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, _core: Any, _handler: Any) -> dict[str, Any]:
        return dict(self.schema)


def text(value: Any, what: str, hint: str = "") -> str:
    """`value`, which has to be a text.

    Errors: UnfitError, naming `what` was expected; a number is to be quoted, unless `hint`
    says otherwise.
    """
    if isinstance(value, str):
        return value
    if not hint and isinstance(value, int) and not isinstance(value, bool):
        hint = f'quote it: "{value}"'
    raise UnfitError(f"expected {what}, got {describe(value)}", hint)


def describe(value: Any) -> str:
    """A value as a person would name it, cut where it is long."""
    if value is True or value is False:
        return str(value).lower()
    if isinstance(value, int):
        return f"the number {value}"
    if isinstance(value, str):
        return quoted(value)
    return "a mapping" if isinstance(value, dict) else "a list"


def quoted(value: str) -> str:
    """A text in quotes, without anything that a terminal would obey."""
    shown = value if len(value) <= 60 else value[:57] + "..."
    return '"' + "".join(c if c.isprintable() else f"<{code_point(c)}>" for c in shown) + '"'


def code_point(character: str) -> str:
    """The name of a character that cannot be shown: a backslash would be escaped once more."""
    return f"U+{ord(character):04X}"


def matching(
    pattern: str, what: str, *, hint: str = "", examples: tuple[str, ...] = (), limit: int = 255
) -> Written:
    """A text that `pattern` matches as a whole; the pattern has to mean the same to ECMA-262."""
    compiled = re.compile(pattern, re.ASCII)

    def parse(value: Any) -> str:
        written = text(value, what)
        if len(written) > limit:
            raise UnfitError(f"{what} is longer than {limit} characters")
        if not compiled.fullmatch(written):
            raise UnfitError(f"{quoted(written)} is not {what}", hint)
        return str(written)

    schema = {"type": "string", "pattern": f"^(?:{pattern})$", "maxLength": limit}
    return Written(parse, schema | ({"examples": list(examples)} if examples else {}))
