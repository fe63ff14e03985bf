"""Explains pydantic's errors in the terms of the file, each with its position."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from reconcile.config.diagnostics import Diagnostic, closest, suggest
from reconcile.config.document import Loc, Mark, YamlNode
from reconcile.config.fields.field_type import InvalidValue, describe, quote_text
from reconcile.config.schema_keys import keys_at, places_of

_EXPECTED = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "string_type": "a text",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "tuple_type": "a list",
}
_MAPPINGS = frozenset({"dict_type", "model_type", "model_attributes_type"})
# What needs no quotes as an item of a YAML list.
_PLAIN_SCALAR = re.compile(r"[\w./][\w./:-]{0,60}")
MOST_PLACES = 4
"""Places where a key is known that a hint names."""
_BOOLEANS = {"yes": "true", "on": "true", "no": "false", "off": "false"}


def diagnose(
    errors: Sequence[ErrorDetails], file: str, root: YamlNode, model: type[BaseModel]
) -> Iterator[Diagnostic]:
    """One diagnostic for each error that is no consequence of another one."""
    typos = _likely_typos(errors, model)
    return (
        diagnostic(error, file, root, model)
        for error in errors
        if not _is_consequence(error, root, typos)
    )


def diagnostic(
    error: ErrorDetails, file: str, root: YamlNode, model: type[BaseModel]
) -> Diagnostic:
    """One of pydantic's errors of a `model`, with the file's own words."""
    mark = _mark(error, root)
    message, hint = _explain(error, model)
    return Diagnostic(file, mark.line, mark.column, message, hint)


def _mark(error: ErrorDetails, root: YamlNode) -> Mark:
    loc = error["loc"]
    if error["type"] == "missing":
        return root.key_mark(loc[:-1])
    if error["type"] == "extra_forbidden" or loc[-1:] == ("[key]",):
        return root.key_mark(loc)
    return root.deepest(loc).mark


_FORMS = {
    "(directory)": "a location of a directory",
    "(file)": "a location with `file`",
    "(proxy)": "a location with role: proxy",
    "(get)": "a probe with `get`",
    "(upload)": "a probe with `upload`",
    "(crawl)": "a probe with `crawl`",
}
"""What locations and probes are, by the tag of the union."""


def _explain(error: ErrorDetails, model: type[BaseModel]) -> tuple[str, str]:
    loc = error["loc"]
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    # The branch of a union is no key of the file.
    keys = [part for part in loc if not str(part).startswith("(")]
    name = quote_text(str(keys[-1])) if keys else "the file"
    if kind == "extra_forbidden":
        return _unknown_key(loc, model)
    if kind == "missing":
        return f"{name} is missing", ""
    if kind == "value_error":
        reason = context["error"]
        return str(reason), reason.hint if isinstance(reason, InvalidValue) else ""
    if kind == "literal_error":
        return f"invalid value {_literal(value)}", _literal_hint(value, context["expected"])
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, got {describe(value)}", _type_hint(
            kind, value, keys_at(loc, model)
        )
    if kind in ("greater_than_equal", "less_than_equal"):
        limit = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
        return f"{name} has to be {limit}", ""
    if kind == "too_short":
        is_item = bool(keys) and isinstance(keys[-1], int)
        return f"{'an item of this list' if is_item else name} is empty", "add at least one"
    return error["msg"], ""


def _type_hint(kind: str, value: Any, keys: Sequence[str]) -> str:
    if kind == "bool_type" and isinstance(value, str):
        boolean = _BOOLEANS.get(value.lower())
        return f"use {boolean}" if boolean else ""
    if kind == "string_type" and isinstance(value, int):
        return f'quote it: "{str(value).lower()}"'
    if kind in _MAPPINGS:
        return f"with the keys {', '.join(keys)}" if keys else ""
    return _list_hint(value) if kind == "tuple_type" else ""


def _list_hint(value: Any) -> str:
    is_plain = isinstance(value, str | int) and _PLAIN_SCALAR.fullmatch(str(value))
    return f"use [{value}]" if is_plain else "use [a, b]"


def _literal(value: Any) -> str:
    return str(value) if type(value) is int else describe(value)


def _literal_hint(value: Any, expected: str) -> str:
    choices = expected.replace("'", "")
    return f"use {choices}, without quotes" if value == expected else f"use {choices}"


def _unknown_key(loc: Loc, model: type[BaseModel]) -> tuple[str, str]:
    key, known = str(loc[-1]), keys_at(loc[:-1], model)
    if form := _form_with(key, loc, model):
        is_form = form.endswith(f"`{key}`")
        hint = "make it an entry of its own" if is_form else f"it is for {form}"
        return f"unknown key {quote_text(key)}", hint
    places = places_of(key, model)
    is_misplaced = 0 < len(places) <= MOST_PLACES and not closest(key, known)
    hint = f"it belongs to {' or '.join(places)}" if is_misplaced else suggest(key, known)
    return f"unknown key {quote_text(key)}", hint


def _form_with(key: str, loc: Loc, model: type[BaseModel]) -> str:
    """The entries that have `key`, where this one is of another form; "" for none."""
    tag = loc[-2] if len(loc) > 1 else ""
    forms = [
        form
        for other, form in _FORMS.items()
        if tag in _FORMS and other != tag and key in keys_at((*loc[:-2], other), model)
    ]
    return " or ".join(forms)


def _likely_typos(errors: Sequence[ErrorDetails], model: type[BaseModel]) -> frozenset[Loc]:
    """The keys that unknown keys beside them are probably meant to be."""
    unknown = [error["loc"] for error in errors if error["type"] == "extra_forbidden"]
    return frozenset(
        (*loc[:-1], closest(str(loc[-1]), keys_at(loc[:-1], model))) for loc in unknown
    )


def _is_consequence(error: ErrorDetails, root: YamlNode, typos: frozenset[Loc]) -> bool:
    """Whether the error only results from another one: a rejected value, or a misspelt key."""
    if error["type"] == "too_short" and error["input"]:
        return True
    if error["type"] == "missing" and error["loc"] in typos:
        return True
    steps = root.existing(error["loc"])
    return any(root.deepest(steps[:end]).is_rejected for end in range(len(steps) + 1))
