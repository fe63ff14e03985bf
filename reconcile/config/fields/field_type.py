"""The base of the field types: a parser for the loader, a schema for editors."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic_core import core_schema


class InvalidValue(ValueError):
    """A value that its field does not accept; `hint` is the correction, or ""."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class UnpackedSource(InvalidValue):
    """A source, where the YAML may have none: packing one finds all of its sources by this."""


class UnquotedOctal(str):
    """An unquoted number that begins with 0: octal to some YAML parsers, decimal to others."""

    __slots__ = ()


Sources = Literal["beside", "packed", "none"]
"""What a source may be: any file of this machine, relative ones beside the YAML; a packed file,
by a relative name; nothing."""


@dataclass(frozen=True)
class ParseContext:
    """What a value depends on besides itself: the folder that relative paths start at."""

    folder: str = "/"
    sources: Sources = "beside"


@dataclass(frozen=True, eq=False)
class FieldType:
    """Annotation of a field: `parse` converts what the file has, `schema` describes it.

    `parse` raises InvalidValue. With `needs_context` it also gets the ParseContext.
    """

    parse: Callable[..., Any]
    schema: dict[str, Any]
    needs_context: bool = False

    def __get_pydantic_core_schema__(self, _source: Any, _handler: Any) -> core_schema.CoreSchema:
        """The validator that pydantic calls."""
        if self.needs_context:
            return core_schema.with_info_plain_validator_function(
                lambda value, info: self.parse(value, info.context or ParseContext())
            )
        return core_schema.no_info_plain_validator_function(self.parse)

    def __get_pydantic_json_schema__(self, _core: Any, _handler: Any) -> dict[str, Any]:
        """The schema that pydantic publishes."""
        return dict(self.schema)


def require_str(value: Any, expected: str, hint: str = "") -> str:
    """`value`, if it is a string.

    Errors: InvalidValue, which names `expected`; its default hint for a number is to quote it.
    """
    if isinstance(value, str):
        return value
    if not hint and isinstance(value, int) and not isinstance(value, bool):
        hint = f'quote it: "{value}"'
    raise InvalidValue(f"expected {expected}, got {describe(value)}", hint)


def describe(value: Any) -> str:
    """A value for use in a message: a scalar itself, shortened, or the type of a collection."""
    if value is True or value is False:
        return str(value).lower()
    if value is None:
        return "null"
    if isinstance(value, int):
        return f"the number {value}"
    if isinstance(value, str):
        return quote_text(value)
    return "a mapping" if isinstance(value, dict) else "a list"


def quote_text(text: str) -> str:
    """A text in quotes, shortened, without anything that a terminal would interpret."""
    short = text if len(text) <= 60 else text[:57] + "..."
    return '"' + "".join(c if c.isprintable() else f"<{code_point(c)}>" for c in short) + '"'


def code_point(character: str) -> str:
    """The name of an unprintable character; an escape such as \\n would be escaped again."""
    return f"U+{ord(character):04X}"


def regex_str(
    pattern: str, what: str, *, hint: str = "", examples: tuple[str, ...] = (), limit: int = 255
) -> FieldType:
    """A string that `pattern` matches as a whole, of at most `limit` characters.

    The pattern has to mean the same in Python and in ECMA-262, which JSON Schema uses.
    """
    compiled = re.compile(pattern, re.ASCII)

    def parse(value: Any) -> str:
        """Return the text where it matches. Errors: InvalidValue."""
        text = require_str(value, what)
        if len(text) > limit:
            raise InvalidValue(f"{what} is longer than {limit} characters")
        if not compiled.fullmatch(text):
            raise InvalidValue(f"{quote_text(text)} is not {what}", hint)
        return str(text)

    schema = {"type": "string", "pattern": f"^(?:{pattern})$", "maxLength": limit}
    return FieldType(parse, schema | ({"examples": list(examples)} if examples else {}))
