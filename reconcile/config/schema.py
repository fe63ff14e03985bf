"""The JSON Schema of reconcile.yaml, from which editors check and complete."""

from __future__ import annotations

from typing import Any

from reconcile.config.models.spec import Spec

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def json_schema() -> dict[str, Any]:
    """The schema. It knows each value by itself; how parts fit together only the loader knows."""
    described = _simplified(Spec.model_json_schema())
    return {"$schema": DIALECT, "title": "reconcile.yaml", **described}


def json_schema_text() -> str:
    """The schema as the file in schemas/ holds it."""
    import json

    return json.dumps(json_schema(), indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _simplified(schema: Any) -> Any:
    """Without what pydantic adds for Python: titles, null for what is left out, its defaults."""
    if isinstance(schema, list):
        return [_simplified(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    said = {key: value for key, value in schema.items() if not _is_noise(key, value)}
    return {key: _below(key, value) for key, value in _without_null(_with_checked_keys(said))}


def _below(key: str, value: Any) -> Any:
    if key in ("properties", "$defs"):
        return {name: _simplified(schema) for name, schema in value.items()}
    return value if key in ("default", "examples", "enum") else _simplified(value)


def _is_noise(key: str, value: Any) -> bool:
    return key == "title" or (
        key == "default" and (not isinstance(value, bool | int | str) or value == "")
    )


def _with_checked_keys(schema: dict[str, Any]) -> dict[str, Any]:
    """A pattern of keys as a rule that every key obeys, not as one of several kinds of keys."""
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
