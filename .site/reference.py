"""The pages that are made of the schemas and of what `--help` prints."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from typer import Context

from reconcile.cli.app import COMMANDS, load_command
from reconcile.cli.schema import all_schemas
from reconcile.config.json_schema import json_schema

WIDTH = 80


def reference_pages() -> dict[str, str]:
    """Each generated page by its name below docs/."""
    return {
        "reference/commands.md": _commands_page(),
        "reference/yaml.md": _yaml_page(),
        "reference/json.md": _json_page(),
    }


def _commands_page() -> str:
    parts = ["# Every option", "What `--help` of each command prints."]
    for name in COMMANDS:
        for words, command in _leaves(name, load_command(name)):
            title = " ".join(("reconcile", *words))
            parts += [f"## {title}", f"```text\n{_help_of(command, title)}\n```"]
    return "\n\n".join(parts) + "\n"


def _leaves(name: str, command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    inner = getattr(command, "commands", {})
    yield (name,), command
    for part, leaf in inner.items():
        yield (name, part), leaf


def _help_of(command: Any, title: str) -> str:
    context = Context(command, info_name=title, max_content_width=WIDTH, terminal_width=WIDTH)
    return "\n".join(line.rstrip() for line in command.get_help(context).split("\n")).strip()


def _yaml_page() -> str:
    schema = json_schema()
    parts = [
        "# Every key in a table",
        "Made of the schema that `reconcile schema` prints."
        " [The YAML, key by key](../yaml.md) explains them.",
        *_section("The file", schema),
    ]
    for name, model in schema["$defs"].items():
        if "properties" in model:
            parts += _section(name, model)
    return "\n\n".join(parts) + "\n"


def _section(title: str, model: dict[str, Any]) -> list[str]:
    rows = ["| key | does | value | default |", "|---|---|---|---|"]
    required = model.get("required", ())
    for key, value in model.get("properties", {}).items():
        default = "required" if key in required else _code(value.get("default"))
        about = " ".join(value.get("description", "").split())
        cells = (f"`{key}`", about, _type(value), default)
        rows.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return [f"## {title}", model.get("description", ""), "\n".join(rows)]


def _code(value: Any) -> str:
    return "" if value is None else f"`{json.dumps(value)}`"


def _type(value: dict[str, Any]) -> str:
    """What may stand there, in a few words, with links to the tables of models."""
    if "$ref" in value:
        name = value["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})" if name in _tables() else name
    if "anyOf" in value:
        return " or ".join(dict.fromkeys(map(_type, value["anyOf"])))
    if "const" in value:
        return _code(value["const"])
    if "enum" in value:
        return " or ".join(map(_code, value["enum"]))
    if value.get("type") == "array":
        return f"list of {_type(value.get('items', {}))}"
    if isinstance(inner := value.get("additionalProperties"), dict):
        return f"by name: {_type(inner)}"
    examples = value.get("examples", ())
    example = f", as {_code(examples[0])}" if examples else ""
    return f"{value.get('type', 'any')}{example}"


@cache
def _tables() -> frozenset[str]:
    models = json_schema()["$defs"].items()
    return frozenset(name for name, model in models if "properties" in model)


def _json_page() -> str:
    rows = ["| schema | of |", "|---|---|"]
    for name, schema in all_schemas().items():
        about = " ".join(re.split(r"\n\n", schema.get("description") or schema["title"])[0].split())
        rows.append(f"| [{name}](../schemas/{name}.schema.json) | {about} |".replace("||", "|"))
    return (
        "# JSON\n\nEvery command has `--json`. `reconcile schema NAME` prints the schema of what it"
        " writes, and `reconcile schema --write DIR` writes all of them. Readers ignore keys that"
        " they do not know.\n\n" + "\n".join(rows) + "\n"
    )
