"""Variables of a file: their values take the places of their names, before anything is checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import field, replace
from operator import is_
from typing import Any

from reconcile.config.diagnostics import Diagnostic, closest, suggest
from reconcile.config.document import Mark, YamlNode
from reconcile.config.fields.field_type import quote_text
from reconcile.config.yaml import can_hold, resolve
from reconcile.dataclass import dataclass
from reconcile.errors import ReconcileError

SECTION = "vars"
Value = str | int | bool
_USE = re.compile(r"\$\$\{var\.|\$\{var\.([^}]*)\}")
_WHOLE = re.compile(r"\$\{var\.([^}]*)\}")


@dataclass(frozen=True)
class Variables:
    """The values in force, and the texts of those that were given on the command line."""

    values: Mapping[str, Value] = field(default_factory=dict)
    given: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        pairs = (
            f"{name} = {_as_text(value)}{' (--var)' if name in self.given else ''}"
            for name, value in self.values.items()
        )
        return ", ".join(pairs)


def put_in(
    root: YamlNode, given: Mapping[str, str], file: str
) -> tuple[YamlNode, Variables, list[Diagnostic]]:
    """The document with all variables replaced, their values, and what is wrong with them.

    `given` wins over the file. Errors: ReconcileError for one that the file does not declare.
    """
    declared = _declared(root)
    variables = Variables(declared | _converted(given, declared, file), given)
    replaced = _Replacement(variables.values, file)
    if not isinstance(root.value, dict):
        return root, variables, []
    items = {
        key: child if key == SECTION else replaced.node(child) for key, child in root.value.items()
    }
    errors = [*replaced.errors, *_unused(root, replaced.used, file)]
    return replace(root, value=items), variables, errors


def _declared(root: YamlNode) -> dict[str, Value]:
    section = root.child(SECTION)
    nodes = section.value if section and isinstance(section.value, dict) else {}
    return {key: node.value for key, node in nodes.items() if isinstance(node.value, Value)}


def _converted(
    given: Mapping[str, str], declared: Mapping[str, Value], file: str
) -> dict[str, Value]:
    return {name: _read_as(name, text, declared, file) for name, text in given.items()}


def _read_as(name: str, text: str, declared: Mapping[str, Value], file: str) -> Value:
    """A value of the command line, as the type of the declared one."""
    if name not in declared:
        raise ReconcileError(
            what=f"--var {name}: there is no such variable",
            why=f"`vars` of {file} does not declare it",
            fix=f"{_correction(name, declared)} Nothing was changed.",
        )
    value = text if isinstance(declared[name], str) else resolve(text, is_plain=True)
    if type(value) is not type(declared[name]) or not can_hold(text):
        kind = {str: "a text", int: "a whole number", bool: "true or false"}[type(declared[name])]
        raise ReconcileError(
            what=f"--var {name}: {quote_text(text)} is not {kind}",
            why=f"`vars` of {file} declares {name} as {_as_text(declared[name])}",
            fix="Give a value of that type. Nothing was changed.",
        )
    return value


def _correction(name: str, declared: Mapping[str, Value]) -> str:
    match = closest(name, [*declared])
    return f"Use --var {match}=…" if match else "Declare it there, or remove the option."


def _unused(root: YamlNode, used: set[str], file: str) -> Iterator[Diagnostic]:
    section = root.child(SECTION)
    for name, mark in section.keys.items() if section else ():
        if name not in used:
            message = f"the variable {quote_text(name)} is not used"
            yield Diagnostic(file, *mark, message, f"remove it, or use ${{var.{name}}}")


class _Replacement:
    """Replaces variables in the values of one file, and remembers which were used."""

    def __init__(self, values: Mapping[str, Value], file: str) -> None:
        self._values = values
        self._file = file
        self.used: set[str] = set()
        self.errors: list[Diagnostic] = []

    def node(self, node: YamlNode) -> YamlNode:
        """The node with all values below it replaced; keys stay as they are."""
        if isinstance(node.value, dict):
            items = {key: self.node(one) for key, one in node.value.items()}
            is_same = all(map(is_, items.values(), node.value.values()))
            return node if is_same else replace(node, value=items)
        if isinstance(node.value, tuple):
            return replace(node, value=tuple(map(self.node, node.value)))
        if isinstance(node.value, str) and "${var." in node.value:
            before = len(self.errors)
            value = self._substitute(node.value, node.mark)
            return replace(node, value=value, is_rejected=len(self.errors) > before)
        return node

    def _substitute(self, text: str, mark: Mark) -> Any:
        whole = _WHOLE.fullmatch(text)
        if whole:
            return self._value(whole[1], mark)

        def value(found: re.Match[str]) -> str:
            """What takes the place of one use."""
            return "${var." if found[1] is None else _as_text(self._value(found[1], mark))

        return _USE.sub(value, text)

    def _value(self, name: str, mark: Mark) -> Value:
        if name in self._values:
            self.used.add(name)
            return self._values[name]
        hint = suggest(name, [*self._values]) or "declare it in `vars`"
        self.errors.append(
            Diagnostic(self._file, *mark, f"unknown variable {quote_text(name)}", hint)
        )
        return ""


def _as_text(value: Value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
