"""The upload folder of an app, from its unit and its source; nothing is run."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from typing import NamedTuple

NAMES = ("UPLOAD_FOLDER", "MEDIA_ROOT", "UPLOADS_DEFAULT_DEST")


class UploadSetting(NamedTuple):
    """A setting whose value is an absolute folder."""

    name: str
    folder: str
    place: str


def settings_from_environment(unit: str, environment: Mapping[str, str]) -> Iterator[UploadSetting]:
    """Settings in the environment of a unit, such as FLASK_UPLOAD_FOLDER or UPLOAD_FOLDER."""
    for name, value in environment.items():
        if name.removeprefix("FLASK_") in NAMES and value.startswith("/"):
            yield UploadSetting(name, value, unit)


def settings_from_source(path: str, data: bytes) -> Iterator[UploadSetting]:
    """Settings that a Python file assigns as a string, a variable, or an os.path.join of those.

    The last assignment wins. A file that does not parse has none.
    """
    if not any(name.encode() in data for name in NAMES):
        return
    try:
        tree = ast.parse(data, path)
    except (SyntaxError, ValueError):
        return
    known: dict[str, str] = {}
    found: dict[str, UploadSetting] = {}
    for node in tree.body:
        if (
            isinstance(node, ast.Assign)
            and (value := _constant_string(node.value, known)) is not None
        ):
            for target in node.targets:
                name = _target_name(target)
                known[name] = value
                if name in NAMES and value.startswith("/") and not isinstance(target, ast.Name):
                    found[name] = UploadSetting(name, value, f"{path}:{node.lineno}")
    yield from found.values()


def _target_name(target: ast.expr) -> str:
    """The variable, or the key of `app.config[…]`."""
    if isinstance(target, ast.Subscript) and isinstance(target.slice, ast.Constant):
        return str(target.slice.value)
    return target.id if isinstance(target, ast.Name) else ""


def _constant_string(value: ast.expr, known: Mapping[str, str]) -> str | None:
    if isinstance(value, ast.Constant) and isinstance(value.value, str):
        return value.value
    if isinstance(value, ast.Name):
        return known.get(value.id)
    if isinstance(value, ast.Call) and ast.unparse(value.func).endswith("path.join"):
        parts = [_constant_string(part, known) for part in value.args]
        return None if None in parts else "/".join(part.rstrip("/") for part in parts if part)
    return None
