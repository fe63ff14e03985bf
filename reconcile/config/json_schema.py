"""The JSON Schema of reconcile.yaml, which editors use for checks and completion."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from reconcile.config.config import Config

DIALECT = "https://json-schema.org/draft/2020-12/schema"
ID = "urn:reconcile:schema:{title}:1"
"""A name and no address: it stays the same wherever the schema is published. 1 is `version`."""

_WITH_VARIABLE = r"\$\{var\.[^}]*\}"
"""A text with a variable is checked once that has its value, by the loader."""


def json_schema(model: type[BaseModel] = Config, title: str = "reconcile.yaml") -> dict[str, Any]:
    """The schema of each value; rules between values are checked by the loader only."""
    names = {"$schema": DIALECT, "$id": ID.format(title=title), "title": title}
    return {**names, **_simplify(model.model_json_schema())}


def _simplify(schema: Any, *, keeps_null: bool = False) -> Any:
    """Without what pydantic adds for Python: titles, null for a missing key, its defaults.

    `keeps_null`: the file may hold null there, as the description of the key says.
    """
    if isinstance(schema, list):
        return [_simplify(item, keeps_null=keeps_null) for item in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: value for key, value in schema.items() if not _is_for_python(key, value)}
    keeps_null = keeps_null or "null" in str(schema.get("description", ""))
    named = _as_property_names(kept)
    items = named.items() if keeps_null else _without_null(named)
    return {key: _simplify_keyword(key, value, keeps_null=keeps_null) for key, value in items}


def _simplify_keyword(key: str, value: Any, *, keeps_null: bool) -> Any:
    if key in ("properties", "$defs"):
        return {name: _simplify(schema) for name, schema in value.items()}
    if key == "propertyNames":
        return value
    if key == "pattern":
        return f"{value}|{_WITH_VARIABLE}"
    return (
        value if key in ("default", "examples", "enum") else _simplify(value, keeps_null=keeps_null)
    )


def _is_for_python(key: str, value: Any) -> bool:
    return key == "title" or (
        key == "default" and (not isinstance(value, bool | int | str) or value == "")
    )


def _as_property_names(schema: dict[str, Any]) -> dict[str, Any]:
    """A pattern of keys as a rule for every key, so that other keys are errors."""
    patterns = schema.get("patternProperties")
    if not patterns:
        return schema
    [(pattern, values)] = patterns.items()
    others = {key: value for key, value in schema.items() if key != "patternProperties"}
    names = {**schema.get("propertyNames", {}), "pattern": pattern}
    return {**others, "propertyNames": names, "additionalProperties": values}


def _without_null(schema: dict[str, Any]) -> list[tuple[str, Any]]:
    choices = [choice for choice in schema.get("anyOf", ()) if choice != {"type": "null"}]
    if len(choices) == len(schema.get("anyOf", ())):
        return list(schema.items())
    others = {key: value for key, value in schema.items() if key != "anyOf"}
    if len(choices) == 1:
        return list({**choices[0], **others}.items())
    return list({"anyOf": choices, **others}.items())
