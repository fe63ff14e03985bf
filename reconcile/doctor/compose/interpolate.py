"""Variables in compose files, and the .env file that gives them values.

Source: Compose Specification, 12-interpolation.md; the rules of .env files of Docker Compose.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ASSIGNMENT = re.compile(r"^\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*[=:]\s*(.*)$")


class Unresolved(ValueError):
    """A variable that has no value here, or an expression that is none."""


def interpolated(text: str, values: Mapping[str, str]) -> str:
    """`text` with `$NAME`, `${NAME}` and the forms with a default filled in; `$$` is a dollar.

    Errors: Unresolved for a variable without a value and default. Compose would take the empty
    text there, but may well be given the value by a shell that we do not know.
    """
    told, rest = [], text
    while rest:
        before, dollar, rest = rest.partition("$")
        told.append(before)
        if dollar:
            value, rest = _variable(rest, values)
            told.append(value)
    return "".join(told)


def _variable(rest: str, values: Mapping[str, str]) -> tuple[str, str]:
    """The value of the variable that `rest` begins with, and what follows it."""
    if rest.startswith("$"):
        return "$", rest[1:]
    if rest.startswith("{"):
        end = _closing(rest)
        return _braced(rest[1:end], values), rest[end + 1 :]
    found = _NAME.match(rest)
    if not found:
        raise Unresolved(f"${rest[:20]} is no variable")
    return _value(found[0], values), rest[found.end() :]


def _closing(rest: str) -> int:
    """Where the brace is closed that `rest` begins with; defaults may hold braces themselves."""
    depth = 0
    for index, character in enumerate(rest):
        if character == "{" and (index == 0 or rest[index - 1] == "$"):
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                return index
    raise Unresolved(f"${rest[:20]} is not closed")


def _braced(expression: str, values: Mapping[str, str]) -> str:
    found = _NAME.match(expression)
    if not found:
        raise Unresolved(f"${{{expression}}} is no variable")
    name, rest = found[0], expression[found.end() :]
    if not rest:
        return _value(name, values)
    operator = rest[:2] if rest[:2] in (":-", ":?", ":+") else rest[:1]
    word = rest[len(operator) :]
    is_set = bool(values.get(name)) if operator.startswith(":") else name in values
    match operator[-1]:
        case "-":
            return values[name] if is_set else interpolated(word, values)
        case "+":
            return interpolated(word, values) if is_set else ""
        case "?" if is_set:
            return values[name]
        case "?":
            raise Unresolved(f"{name} is required: {word}")
    raise Unresolved(f"${{{expression}}} is no form of a variable")


def _value(name: str, values: Mapping[str, str]) -> str:
    if name not in values:
        raise Unresolved(f"{name} has no value in .env")
    return values[name]


def env_file(text: str) -> dict[str, str]:
    """The assignments of a .env file, quotes taken off; what is no assignment is left out."""
    values: dict[str, str] = {}
    for line in text.splitlines():
        found = _ASSIGNMENT.match(line)
        if found and not line.lstrip().startswith("#"):
            values[found[1]] = _unquoted(found[2].strip(), values)
    return values


def _unquoted(written: str, values: Mapping[str, str]) -> str:
    if written[:1] == "'":
        return written[1:].partition("'")[0]
    if written[:1] == '"':
        written = written[1:].partition('"')[0]
    else:
        written = re.split(r"\s+#", f" {written}", maxsplit=1)[0].strip()
    try:
        return interpolated(written, values)
    except Unresolved:
        return written
