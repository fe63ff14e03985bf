"""Says in plain words, at its place in the file, what pydantic found."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import ErrorDetails

from reconcile.config.diagnostics import Diagnostic, Mark, all_of, closest, nearest
from reconcile.config.models.spec import Spec
from reconcile.config.nodes import Loc, Node, at, key_mark, mark_of, real
from reconcile.config.values.written import UnfitError, describe, quoted

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
# What stands in a list of YAML's without quotes.
_PLAIN = re.compile(r"[\w./][\w./:-]{0,60}")
_YES_AND_NO = {"yes": "true", "on": "true", "no": "false", "off": "false"}


def diagnostic(error: ErrorDetails, file: str, root: Node) -> Diagnostic:
    """One of pydantic's errors, in the file's own terms."""
    loc, mark = error["loc"], _mark(error, root)
    message, hint = _said(error, loc)
    return Diagnostic(file, mark.line, mark.column, message, hint)


def _mark(error: ErrorDetails, root: Node) -> Mark:
    loc = error["loc"]
    if error["type"] == "missing":
        return key_mark(root, loc[:-1])
    if error["type"] == "extra_forbidden" or loc[-1:] == ("[key]",):
        return key_mark(root, loc)
    return mark_of(root, loc)


def _said(error: ErrorDetails, loc: Loc) -> tuple[str, str]:
    kind, value, context = error["type"], error["input"], error.get("ctx", {})
    name = quoted(str(loc[-1])) if loc else "the file"
    if kind == "extra_forbidden":
        return _unknown_key(loc)
    if kind == "missing":
        return f"{name} is missing", ""
    if kind == "value_error":
        return _unfit(context["error"])
    if kind == "literal_error":
        return f"{describe(value)} is not known here", _expected_hint(value, context["expected"])
    if kind in _EXPECTED:
        return f"expected {_EXPECTED[kind]}, got {describe(value)}", _typed_hint(kind, value, loc)
    if kind in ("greater_than_equal", "less_than_equal"):
        limit = f"at least {context['ge']}" if "ge" in context else f"at most {context['le']}"
        return f"{name} has to be {limit}", ""
    if kind == "too_short":
        return f"{name} is empty", "name at least one"
    return error["msg"], ""


def _unfit(error: Exception) -> tuple[str, str]:
    return str(error), error.hint if isinstance(error, UnfitError) else ""


def _typed_hint(kind: str, value: Any, loc: Loc) -> str:
    if kind == "bool_type" and isinstance(value, str):
        right = _YES_AND_NO.get(value.lower())
        return f"write {right}" if right else ""
    if kind == "string_type" and isinstance(value, int):
        return f'quote it: "{str(value).lower()}"'
    if kind in _MAPPINGS:
        return all_of(keys_at(loc))
    return _list_hint(value) if kind == "tuple_type" else ""


def _list_hint(value: Any) -> str:
    is_plain = isinstance(value, str | int) and _PLAIN.fullmatch(str(value))
    return f"write [{value}]" if is_plain else "write [a, b]"


def _expected_hint(value: Any, expected: str) -> str:
    choices = expected.replace("'", "")
    return f"write {choices}, without quotes" if value == expected else f"write {choices}"


def _unknown_key(loc: Loc) -> tuple[str, str]:
    key = str(loc[-1])
    known = keys_at(loc[:-1])
    return f"{quoted(key)} is not a key here", nearest(key, known)


def keys_at(loc: Loc) -> tuple[str, ...]:
    """The keys that a mapping at `loc` of a file may have."""
    found: list[Any] = [Spec]
    for part in loc:
        found = [below for annotation in found for below in _step(annotation, part)]
    models = [below for annotation in found for below in _models(annotation)]
    return tuple(dict.fromkeys(name for model in models for name in model.model_fields))


def _step(annotation: Any, part: str | int) -> Iterator[Any]:
    """What the annotation of a value says of the value below it, or of itself for a union's tag."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        tags = [getattr(extra, "tag", None) for extra in arguments[1:]]
        yield from [arguments[0]] if part in tags else _step(arguments[0], part)
    elif origin in (Union, UnionType):
        tagged = [a for a in arguments if any(t is not None for t in _tags(a))]
        chosen = [a for a in tagged if part in _tags(a)] or arguments
        for argument in chosen:
            yield from _step(argument, part)
    elif origin in (dict, Mapping):
        yield arguments[1]
    elif origin is tuple:
        yield arguments[0]
    elif _is_model(annotation) and part in annotation.model_fields:
        yield annotation.model_fields[part].annotation


def _tags(annotation: Any) -> list[Any]:
    extras = get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()
    return [extra.tag for extra in extras if hasattr(extra, "tag")]


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if _is_model(annotation):
        yield annotation
    elif get_origin(annotation) in (Annotated, Union, UnionType):
        for argument in get_args(annotation):
            yield from _models(argument)


def _is_model(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def misspelt(errors: Sequence[ErrorDetails]) -> frozenset[Loc]:
    """The places of the keys that an unknown one beside them is most like."""
    unknown = [error["loc"] for error in errors if error["type"] == "extra_forbidden"]
    return frozenset((*loc[:-1], closest(str(loc[-1]), keys_at(loc[:-1]))) for loc in unknown)


def follows(error: ErrorDetails, root: Node, meant: frozenset[Loc]) -> bool:
    """Whether the error only follows from another one, told by itself.

    A key that `meant` names is not missing: it is there under a wrong name.
    """
    if error["type"] == "too_short" and error["input"]:
        return True
    if error["type"] == "missing" and error["loc"] in meant:
        return True
    steps = real(root, error["loc"])
    return any(at(root, steps[:end]).refused for end in range(len(steps) + 1))
